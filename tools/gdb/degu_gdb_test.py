#!/usr/bin/env python3
"""The gdb commands on a live process and on its core. usage: degu_gdb_test.py PROGRAM"""
import pathlib
import re
import resource
import signal
import subprocess
import sys
import tempfile

SCRIPT = pathlib.Path(__file__).with_name("degu_gdb.py")


def gdb(target, *commands):
    arguments = ["gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-iex", "set auto-load off", *target,
                 "-x", str(SCRIPT)]
    for command in commands:
        arguments += ["-ex", command]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=240, stdin=subprocess.DEVNULL)
    return done.stdout + done.stderr


def expect(pattern, text):
    assert re.search(pattern, text), f"no match for {pattern!r} in:\n{text}"


def check(target):
    listing = gdb(target, "info goroutines")
    expect(r"\d+ cook \[chan receive on 0x[0-9a-f]+\] ", listing)
    expect(r"\d+ guest \[sleep\] ", listing)
    expect(r"\d+ main \[sleep\] ", listing)
    cook = re.search(r"(\d+) cook ", listing)[1]
    stack = gdb(target, f"goroutine {cook} bt")
    expect(rf"goroutine {cook} cook \[chan receive", stack)
    expect(r"wait_in_the_kitchen.* at .*\.(cc|h):\d+", stack)
    expect(r"created by .* in goroutine \d+", stack)
    assert "sleep_in_the_attic" not in stack, stack
    everything = gdb(target, "goroutine all bt")
    expect(r"wait_in_the_kitchen", everything)
    expect(r"sleep_in_the_attic.* at .*parked_program\.cc:\d+", everything)
    expect(r"no goroutine 999999", gdb(target, "goroutine 999999 bt"))
    expect(r"usage: goroutine", gdb(target, "goroutine"))


def wait_for_core(folder):
    """The core the kernel has written there, or None where it writes none (a container's limits, a pipe)."""
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text()
    cores = list(pathlib.Path(folder).glob("*"))
    if cores:
        return str(cores[0])
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    assert "/" in pattern or "|" in pattern or hard == 0, f"no core, though core_pattern is {pattern!r}"
    return None


def allow_cores():
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def main():
    program = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen([program], stdout=subprocess.PIPE, text=True, cwd=folder, preexec_fn=allow_cores)
        try:
            assert process.stdout.readline() == "ready\n"
            check(["-p", str(process.pid), program])
            process.send_signal(signal.SIGABRT)
            process.wait(120)
            core = wait_for_core(folder)
            if core is None:
                print("cores are not written to files here: checked the live process only")
            else:
                check([program, core])
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
