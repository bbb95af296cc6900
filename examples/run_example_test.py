#!/usr/bin/env python3
"""Tests of run_example.py."""
import unittest

from run_example import differences

EXPECTED = "first\n# any order\na [0-9]\nb\n# in order\nlast\n"


class Differences(unittest.TestCase):
    def test_as_expected(self):
        self.assertEqual(list(differences(EXPECTED, ["first", "b", "a 1", "last"])), [])

    def test_wrong_order_missing_and_extra(self):
        self.assertTrue(list(differences(EXPECTED, ["b", "first", "a 1", "last"])))
        self.assertTrue(list(differences(EXPECTED, ["first", "b", "last"])))
        self.assertTrue(list(differences(EXPECTED, ["first", "b", "a 1", "last", "more"])))
        self.assertTrue(list(differences(EXPECTED, [])))


if __name__ == "__main__":
    unittest.main()
