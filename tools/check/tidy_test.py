#!/usr/bin/env python3
"""Tests of tidy.py and cpp_text.py."""
import os
import tempfile
import unittest

import cpp_text
import tidy

BODY = "  x();\n"


def long_function(head, lines):
    return head + " {\n" + BODY * (lines - 2) + "}\n"


class Functions(unittest.TestCase):
    def lengths(self, text):
        return [last - first + 1 for first, last, _ in cpp_text.functions(text)]

    def test_counts_from_signature_to_brace(self):
        self.assertEqual(self.lengths("int f(int a,\n      int b) {\n  return a;\n}\n"), [4])

    def test_looks_into_namespaces_and_classes(self):
        self.assertEqual(self.lengths("namespace a::b {\nclass C final : public D {\n  void f() {}\n};\n}\n"), [1])

    def test_looks_into_specialisations(self):
        text = "template <class R, class... A>\nclass F<R(A...)> {\n  template <class T>\n  void g(struct S* s) {\n  }\n};\n"
        self.assertEqual(self.lengths(text), [3])
        self.assertEqual(self.lengths("struct alignas(64) A {\n  void g() {\n  }\n};\n"), [2])

    def test_initialiser_lists_belong_to_the_constructor(self):
        text = "C::C(int a) noexcept : a_{a}, b_{1},\n  c_(2), d_{} {\n  f();\n}\nvoid g() {}\n"
        self.assertEqual(self.lengths(text), [4, 1])

    def test_brace_defaults_and_tables_are_no_functions(self):
        self.assertEqual(self.lengths("void f(A a = {}, B b = {1}) {\n}\nint t[] = {\n1,\n2};\n"), [2])

    def test_strings_comments_and_macros_do_not_confuse(self):
        text = '#define X(a) \\\n  { a\nvoid f() {\n  g("}", R"x(}})x", \'}\');  // }\n  /* } */\n}\nvoid h() {}\n'
        self.assertEqual(self.lengths(text), [4, 1])

    def test_digit_separators(self):
        self.assertEqual(self.lengths("void f() {\n  int a = 1'000'000;\n  g('}');\n}\n"), [4])

    def test_nested_lambdas_count_once(self):
        self.assertEqual(self.lengths("TEST(A, B) {\n  go([&] {\n    f();\n  });\n}\n"), [5])

    def test_templates_and_requires(self):
        self.assertEqual(self.lengths("template <class T>\n  requires A<T>\nauto f(T t) -> B<T> {\n}\n"), [4])


class Rules(unittest.TestCase):
    def check(self, files):
        with tempfile.TemporaryDirectory() as root:
            for name, text in files.items():
                path = os.path.join(root, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as f:
                    f.write(text if isinstance(text, bytes) else text.encode())
            return tidy.check(root)

    def only(self, files):
        findings = self.check(files)
        self.assertEqual(len(findings), 1, findings)
        return findings[0]

    def test_clean(self):
        self.assertEqual(self.check({"shop/a.cc": long_function("void f()", 70)}), [])

    def test_long_function(self):
        self.assertIn("71 lines", self.only({"shop/a.cc": long_function("void f()", 71)}))
        self.assertIn("71 lines", self.only({"shop/a_test.py": "def f():\n" + "  x()\n" * 70}))

    def test_long_file(self):
        self.assertIn("1001 lines", self.only({"shop/a.cc": "int a;\n" * 1001}))

    def test_banned_calls_name_the_replacement(self):
        self.assertIn("degu::Mutex", self.only({"shop/a.cc": "std::mutex m;\n"}))
        self.assertIn("degu::sleep", self.only({"degu/sync/a_test.cc": "void f() { std::this_thread::sleep_for(1s); }\n"}))
        self.assertIn("option", self.only({"shop/a.cc": 'auto* p = getenv("A");\n'}))
        self.assertIn("DEGU_ASSERT", self.only({"degu/rt/a.cc": "void f() { assert(x); }\n"}))

    def test_banned_calls_are_allowed_where_they_belong(self):
        self.assertEqual(self.check({"degu/rt/a.cc": "std::mutex m; thread_local int x;\n"}), [])
        self.assertEqual(self.check({"degu/sync/a_test.cc": "std::thread t;\n"}), [])
        self.assertEqual(self.check({"shop/a.cc": '// std::mutex\nauto s = "std::mutex"; static_assert(true);\n'}), [])

    def test_headers(self):
        use = {"degu/base/a.cc": "#include <degu/base/a.h>\n"}
        self.assertIn("<functional>", self.only({"degu/base/a.h": "#pragma once\n#include <functional>\n", **use}))
        self.assertIn("pragma once", self.only({"degu/base/a.h": "int a;\n", **use}))

    def test_leftovers(self):
        self.assertIn("marker", self.only({"shop/a.cc": "// TO" + "DO: later\n"}))
        self.assertIn("one machine", self.only({"shop/a.cc": '// see /ho' + 'me/me/x\n'}))
        self.assertIn("end of the line", self.only({"shop/a.cc": "int a; \n"}))

    def test_routes_are_not_machine_paths(self):
        self.assertEqual(self.check({"shop/a.cc": '// GET /api/work/x and ${dir}/home/x\n'}), [])

    def test_generated_and_binary_files(self):
        self.assertIn("generated", self.only({"shop/a.pb.cc": "int a;\n"}))
        self.assertIn("binary", self.only({"shop/a.bin": b"\0\1"}))

    def test_dead_files(self):
        self.assertIn("dead", self.only({"degu/base/a.h": "#pragma once\n"}))
        self.assertIn("dead", self.only({"tools/a.sh": "true\n"}))
        self.assertEqual(self.check({"tools/a.sh": "true\n", "Makefile": "x:\n\ttools/a.sh\n"}), [])


if __name__ == "__main__":
    unittest.main()
