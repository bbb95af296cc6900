#!/usr/bin/env python3
"""Tests of layers.py, on a copy of the real tree and on small made-up ones."""
import os
import shutil
import tempfile
import unittest

import layers
import repo


class Includes(unittest.TestCase):
    ALLOWED = layers.parse("base:\nrt: base\nsync: rt\nnet: sync\n")

    def judge(self, includer, path, quote="<"):
        return layers.judge(includer, quote, path, self.ALLOWED)

    def test_what_a_layer_uses_comes_along(self):
        self.assertIsNone(self.judge("degu/net/tcp.cc", "degu/base/error.h"))

    def test_own_internal_header_is_allowed(self):
        self.assertIsNone(self.judge("degu/rt/park.cc", "degu/rt/internal/sched.h"))

    def test_upward_include_is_refused(self):
        self.assertIn("may not use", self.judge("degu/rt/park.cc", "degu/sync/chan.h"))

    def test_layers_may_share_internal_headers_downwards(self):
        self.assertIsNone(self.judge("degu/net/tcp.cc", "degu/rt/internal/sched.h"))
        self.assertIn("may not use", self.judge("degu/rt/park.cc", "degu/sync/internal/wait_queue.h"))

    def test_outside_only_public_headers(self):
        self.assertIsNone(self.judge("shop/main.cc", "degu/net/tcp.h"))
        self.assertIsNone(self.judge("shop/main.cc", "degu/degu.h"))
        self.assertIn("internal", self.judge("shop/main.cc", "degu/rt/internal/sched.h"))

    def test_a_relative_path_is_no_way_around(self):
        self.assertIn("write #include", self.judge("degu/rt/park.cc", "../sync/chan.h", '"'))
        self.assertIn("write #include", self.judge("shop/main.cc", "../degu/rt/internal/sched.h", '"'))

    def test_own_files_outside_degu_are_free(self):
        self.assertIsNone(self.judge("shop/main.cc", "gateway/gateway.h", '"'))

    def test_unknown_layer_is_refused(self):
        self.assertIn("no layer", self.judge("shop/main.cc", "degu/nothing/x.h"))

    def test_a_layer_does_not_include_the_everyday_header(self):
        self.assertIn("degu.h", self.judge("degu/net/tcp.cc", "degu/degu.h"))

    def test_order_of_layers_matters(self):
        with self.assertRaises(ValueError):
            layers.parse("rt: base\nbase:\n")


class RealTree(unittest.TestCase):
    def test_an_upward_include_added_to_a_copy_is_found(self):
        root = repo.default_root()
        with tempfile.TemporaryDirectory() as copy:
            for name in repo.files(root):
                if name.startswith("degu/") or name == "layers.txt":
                    os.makedirs(os.path.dirname(os.path.join(copy, name)) or copy, exist_ok=True)
                    shutil.copyfile(os.path.join(root, name), os.path.join(copy, name))
            self.assertEqual(layers.check(copy), [])
            victim = os.path.join(copy, "degu/base/error.h")
            with open(victim, "a") as f:
                f.write("#include <degu/rt/park.h>\n")
            findings = layers.check(copy)
            self.assertEqual(len(findings), 1)
            self.assertIn("degu/base/error.h", findings[0])
            self.assertIn("layer base may not use layer rt", findings[0])


if __name__ == "__main__":
    unittest.main()
