#!/usr/bin/env python3
"""Tests of what the benchmark scripts compute; they load nothing."""
import os
import re
import sys
import tempfile
import unittest
import unittest.mock

import httpload
import instructions
import readme
import runtime_table
import stats
import tables
import targets

HERE = os.path.dirname(os.path.abspath(__file__))
REPORTED = re.compile(r'"((?:spawn|chan|select4|select|mutex|skynet|ctx|afterfunc|sleep|yield|idle)_[a-z0-9_]+)"')


def names(folder, extension):
    """{program: names of the figures that it mentions}"""
    found = {}
    for file in sorted(os.listdir(os.path.join(HERE, folder))):
        if file.endswith(extension):
            with open(os.path.join(HERE, folder, file)) as f:
                found[file[:-len(extension)]] = set(REPORTED.findall(f.read()))
    return found


class Stats(unittest.TestCase):
    def test_measure_interleaves_and_collects(self):
        program = [sys.executable, "-c", "print('cost 1.5 ns'); print('other text')"]
        self.assertEqual(stats.measure([program, program], 2, quiet=1e9), [{"cost": ("ns", [1.5, 1.5])}] * 2)

    def test_a_warm_up_is_not_measured(self):
        with tempfile.TemporaryDirectory() as folder:
            count = "f = open('runs', 'a+'); f.write('x'); f.seek(0); print('runs', len(f.read()), 'n')"
            program = [sys.executable, "-c", f"import os; os.chdir({folder!r}); {count}"]
            self.assertEqual(stats.measure([program], 2, quiet=1e9, warm_up=[True]), [{"runs": ("n", [2, 4])}])

    def test_a_failed_command_is_noted_and_not_run_again(self):
        notes = stats.Notes()
        program = [sys.executable, "-c", "import sys; print('cost 1 ns'); sys.exit(3)"]
        self.assertEqual(stats.measure([program], 3, quiet=1e9, notes=notes), [{}])
        self.assertEqual(len(notes.failed), 1)

    def test_a_command_that_hangs_is_noted(self):
        notes = stats.Notes()
        program = [sys.executable, "-c", "import threading; threading.Event().wait()"]
        self.assertEqual(stats.measure([program], 1, quiet=1e9, timeout_s=0.2, notes=notes), [{}])
        self.assertEqual(len(notes.failed), 1)

    def test_disturbed_runs_are_repeated_and_counted(self):
        notes = stats.Notes()
        program = [sys.executable, "-c", "print('cost 1 ns')"]
        with unittest.mock.patch.object(stats.machine, "wait_quiet"):
            stats.measure([program], 1, quiet=-1e9, notes=notes)
        self.assertEqual(notes.disturbed, 1)


class RuntimeTable(unittest.TestCase):
    @staticmethod
    def table(degu, go, **more):
        found = runtime_table.gathered(["degu", "go", *more], [degu, go, *more.values()])
        return list(runtime_table.rows(found, list(more)))

    def test_ratio_is_of_medians_and_meets_its_target(self):
        rows = self.table({"spawn_join_each": ("ns", [1.0, 9.0, 2.0])}, {"spawn_join_each": ("ns", [6.0, 6.0, 80.0])})
        self.assertEqual(rows, [["spawn_join_each", "2.00", "1.00..9.00", "6.00", "6.00..80.0", "3.00", "≥ 3 ×", "met", "ns"]])

    def test_a_missed_target_says_so(self):
        rows = self.table({"spawn_join_each": ("ns", [2.1])}, {"spawn_join_each": ("ns", [6.0])})
        self.assertEqual(rows[0][7], "missed")

    def test_both_parts_of_a_target_count(self):
        target = targets.Target(3.5, at_most=62)
        self.assertEqual([target.met(60, 300), target.met(63, 300), target.met(60, 200)], [True, False, False])

    def test_a_program_that_failed_has_no_figure(self):
        rows = self.table({}, {"spawn_join_each": ("ns", [6.0])})
        self.assertEqual((rows[0][1], rows[0][7]), ("failed", "no figure"))

    def test_a_target_against_another_row_gets_a_row_of_its_own(self):
        rows = self.table({"skynet_1m_warm": ("ms", [50.0]), "skynet_1m_join_warm": ("ms", [20.0])},
                          {"skynet_1m_warm": ("ms", [200.0]), "skynet_1m_join_warm": ("ms", [90.0])})
        self.assertEqual([(row[0], row[5], row[7]) for row in rows],
                         [("skynet_1m_warm", "4.00", "met"), ("skynet_1m_join_warm", "4.50", ""),
                          ("skynet_1m_join_warm, Go: skynet_1m_warm", "10.00", "met")])

    def test_nothing_is_cheaper_than_nothing(self):
        rows = self.table({"idle_10k_parked_cpu": ("%", [0.0])}, {"idle_10k_parked_cpu": ("%", [0.0])})
        self.assertEqual((rows[0][5], rows[0][7]), ("-", "met"))

    def test_peers_have_columns(self):
        rows = self.table({"yield_wall": ("ns", [1.0])}, {"yield_wall": ("ns", [2.0])}, tokio={"yield_wall": ("ns", [3.0])})
        self.assertEqual(rows[0][-2:], ["3.00", "ns"])

    def test_only(self):
        self.assertEqual(runtime_table.selected("idle,jitter:hog"), [("idle", ""), ("jitter", "hog")])
        with self.assertRaises(SystemExit):
            runtime_table.selected("jitter:nothing")

    def test_twins_report_the_same_names(self):
        ours, theirs = names("degu", ".cc"), names("go", ".go")
        for program in runtime_table.PROGRAMS:
            self.assertEqual(ours[program], theirs[program], program)

    def test_peers_report_names_of_their_twins(self):
        theirs = names("go", ".go")
        for folder, extension in (("boost_fiber", ".cc"), ("tokio/src/bin", ".rs")):
            for program, mine in names(folder, extension).items():
                self.assertTrue(mine and mine <= theirs[program], f"{folder}/{program}: {mine - theirs[program]}")


class Instructions(unittest.TestCase):
    def test_names_lose_their_parameters(self):
        names_and_short = {
            "degu::UniqueFunction<void ()>::~UniqueFunction()": "degu::UniqueFunction<void ()>::~UniqueFunction",
            "degu::rt::park(degu::WaitReason, time_point<clock, duration<long> > >)'2": "degu::rt::park",
            "degu::rt::(anonymous namespace)::take_local(degu::rt::P&)": "degu::rt::take_local",
            "degu_rt_switch'2": "degu_rt_switch",
        }
        for name, short in names_and_short.items():
            self.assertEqual(instructions.short(name), short)

    def test_listing(self):
        listing = ("22,292,102 (100.0%)  PROGRAM TOTALS\n"
                   "2,105,983 ( 9.45%)  a/loop.cc:degu::rt::run_m(degu::rt::M&) [/bin/x]\n"
                   "  105,000 ( 0.45%)  b/atomic.h:degu::rt::run_m(degu::rt::M&)\n")
        self.assertEqual(instructions.functions(listing), {"degu::rt::run_m": 2_210_983})

    def test_what_every_run_costs_does_not_count(self):
        self.assertEqual(instructions.per_operation({"main": 50, "go": 100}, {"main": 50, "go": 300, "new": 20}, 10),
                         [("go", 20.0), ("new", 2.0), ("main", 0.0)])

    def test_the_bar(self):
        rows = [instructions.row_of("mutex", 101.0, 100.0, 2.0), instructions.row_of("yield", 204.0, 200.0, 2.0)]
        self.assertEqual(rows, [["mutex", "101", "100", "+1.0 %", "yes"], ["yield", "204", "200", "+2.0 %", "NO"]])
        self.assertEqual(instructions.verdict(rows, 2.0), (False, "not below 2 %: yield (+2.0 %)"))
        self.assertEqual(instructions.verdict(rows[:1], 2.0), (True, "every row is below 2 %"))
        self.assertEqual(instructions.row_of("yield", 204.0, None, None), ["yield", "204"])


class Pages(unittest.TestCase):
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
