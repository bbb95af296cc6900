#!/usr/bin/env python3
"""Tests of docs.py."""
import os
import tempfile
import unittest

import docs

PROGRAM = "int main() {\n  // [part]\n  f();\n    g();\n  // [/part]\n}\n"


class Pages(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.write("examples/a.cc", PROGRAM)

    def write(self, name, text):
        path = os.path.join(self.folder.name, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)

    def findings(self, page, fixing=False):
        self.write("docs/page.md", page)
        return docs.check(self.folder.name, fixing)

    def test_links_that_lead_somewhere(self):
        self.assertEqual(self.findings("# A b\n[x](../examples/a.cc) [y](#a-b) [z](https://example.com/none)\n"), [])

    def test_broken_links(self):
        self.assertIn("no such file", self.findings("\n[x](none.md)\n")[0])
        self.assertIn("docs/page.md:2", self.findings("\n[x](none.md)\n")[0])
        self.assertIn("no such heading", self.findings("# A\n[x](#b)\n")[0])

    def test_code_is_not_linked(self):
        self.assertEqual(self.findings("```cpp\nauto f = [x](none.md) {};\n```\n"), [])

    def test_snippet_equal(self):
        self.assertEqual(self.findings(f"<!-- snippet: examples/a.cc -->\n```cpp\n{PROGRAM}```\n"), [])
        self.assertEqual(self.findings("<!-- snippet: examples/a.cc part -->\n```cpp\nf();\n  g();\n```\n"), [])

    def test_snippet_differs(self):
        self.assertIn("differs", self.findings("<!-- snippet: examples/a.cc -->\n```cpp\nint x;\n```\n")[0])
        self.assertIn("no such", self.findings("<!-- snippet: examples/b.cc -->\n```cpp\n```\n")[0])
        self.assertIn("no such", self.findings("<!-- snippet: examples/a.cc none -->\n```cpp\n```\n")[0])
        self.assertIn("no code block", self.findings("<!-- snippet: examples/a.cc -->\ntext\n")[0])

    def test_every_package_is_explained(self):
        self.write("tools/setup/packages-build.txt", "# why\ncmake\ng++\n")
        self.write("docs/dependencies.md", "| Debian package |\n|---|\n| `g++`, `mold` | 12 |\n")
        findings = docs.check(self.folder.name)
        self.assertEqual([f.split(": ")[1].split()[0] for f in findings], ["cmake", "mold"])

    def test_named_tests_exist(self):
        self.write("degu/a_test.cc", "TEST(Chan, Waits) {\n}\nTYPED_TEST(Lock, Excludes) {\n}\n")
        self.write(docs.SEMANTICS, "| a | `Chan.Waits`, `Chan.*`, `Lock.Excludes`, `Chan.Gone` |\n")
        findings = docs.check(self.folder.name)
        self.assertEqual(len(findings), 1)
        self.assertIn(docs.SEMANTICS + ":1: no such test: Chan.Gone", findings[0])

    def test_fix_puts_the_program_in(self):
        self.assertEqual(self.findings("<!-- snippet: examples/a.cc part -->\n```cpp\nold\n```\n", fixing=True), [])
        with open(os.path.join(self.folder.name, "docs/page.md")) as f:
            self.assertIn("f();\n  g();\n```", f.read())


if __name__ == "__main__":
    unittest.main()
