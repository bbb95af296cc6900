#!/usr/bin/env python3
"""Tests of what the benchmark scripts compute; they load nothing."""
import sys
import unittest

import httpload
import readme
import runtime_table
import stats
import tables


class Harness(unittest.TestCase):
    def test_ratio_is_of_medians(self):
        degu = {"spawn": ("ns", [1.0, 9.0, 2.0])}
        go = {"spawn": ("ns", [4.0, 4.0, 80.0])}
        self.assertEqual(list(runtime_table.rows([], [degu, go])), [["spawn", "2.00", "4.00", "0.50", "ns"]])

    def test_a_name_without_twin_is_an_error(self):
        with self.assertRaises(SystemExit):
            list(runtime_table.rows([], [{"spawn": ("ns", [1.0])}, {}]))

    def test_measure_interleaves_and_collects(self):
        program = [sys.executable, "-c", "print('cost 1.5 ns'); print('other text')"]
        self.assertEqual(stats.measure([program, program], 2, quiet=1e9), [{"cost": ("ns", [1.5, 1.5])}] * 2)

    def test_wrk_units(self):
        self.assertEqual([httpload.microseconds(t) for t in ("7.5us", "1.20ms", "2s")], [7.5, 1200, 2e6])

    def test_tables_go_between_their_markers(self):
        page = "a\n<!-- bench:http -->\nold\n<!-- /bench:http -->\nb\n"
        table = tables.as_markdown(["x", "y"], [["1", "2"]]) + "\n"
        self.assertEqual(readme.insert(page, "http", table),
                         "a\n<!-- bench:http -->\n| x | y |\n| --- | ---: |\n| 1 | 2 |\n<!-- /bench:http -->\nb\n")
        self.assertIsNone(readme.insert(page, "runtime", table))


if __name__ == "__main__":
    unittest.main()
