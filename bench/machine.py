"""Facts about the machine and its processes that a measurement needs."""
import os
import resource
import time

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
QUIET_CORES = 0.15  # a run during which other processes used more is not trusted


def machine_seconds():
    """CPU seconds of the whole machine since boot: (busy, idle, stolen by the hypervisor)."""
    with open("/proc/stat") as f:
        field = [int(x) for x in f.readline().split()[1:]]
    busy = field[0] + field[1] + field[2] + field[5] + field[6]
    return busy / TICKS_PER_S, (field[3] + field[4]) / TICKS_PER_S, field[7] / TICKS_PER_S


def children_seconds():
    """CPU seconds of this process's children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def wait_quiet(limit=QUIET_CORES, longest_s=60):
    """Waits until the machine is idle for half a second."""
    started = time.monotonic()
    while time.monotonic() - started < longest_s:
        busy = machine_seconds()[0]
        time.sleep(0.5)
        if (machine_seconds()[0] - busy) / 0.5 <= limit:
            return


def process_tree(pid):
    """The process and all its descendants."""
    found, todo = [], [pid]
    while todo:
        process = todo.pop()
        found.append(process)
        try:
            for thread in os.listdir(f"/proc/{process}/task"):
                with open(f"/proc/{process}/task/{thread}/children") as f:
                    todo += [int(x) for x in f.read().split()]
        except OSError:
            pass
    return found


def process_seconds(pid):
    """(user, system) CPU seconds of a process tree."""
    user = system = 0
    for process in process_tree(pid):
        with open(f"/proc/{process}/stat") as f:
            field = f.read().rsplit(")", 1)[1].split()
        user += int(field[11])
        system += int(field[12])
    return user / TICKS_PER_S, system / TICKS_PER_S


def resident_bytes(pid):
    pages = 0
    for process in process_tree(pid):
        with open(f"/proc/{process}/statm") as f:
            pages += int(f.read().split()[1])
    return pages * resource.getpagesize()


def available_memory_bytes():
    with open("/proc/meminfo") as f:
        for line in f:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 0


def raise_open_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
