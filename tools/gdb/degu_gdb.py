"""Goroutines in gdb, of a live process or a core:

    gdb -p PID -x tools/gdb/degu_gdb.py        gdb PROGRAM CORE -x tools/gdb/degu_gdb.py

    info goroutines          one line each: id, name, state, what it waits for, where
    goroutine 12 bt          its stack
    goroutine all bt         the stacks of all

Stacks of goroutines that do not run are walked by frame pointers, as the runtime's own dump does: gdb's unwinder needs
registers, which a core does not let it set. Those that run are the current frames of gdb's threads. Cores have to be the
kernel's: gdb's own (gcore) leaves out each mapping from its first guard page on, which are most stacks.
"""
import gdb

FIELDS = ["version", "size", "id", "sp", "status", "reason", "object", "name", "creator", "created_at", "is_thread",
          "stack_low", "stack_size", "switch_words", "frame_word", "return_word", "reasons", "reason_count"]
STATES = ["free", "runnable", "running", "waiting", "blocking call"]
MAX_FRAMES = 64


class Memory:
    """Reads the program's words."""

    def bytes(self, address, size):
        return bytes(gdb.selected_inferior().read_memory(address, size))

    def word(self, address):
        return int.from_bytes(self.bytes(address, 8), "little")

    def half_word(self, address):
        return int.from_bytes(self.bytes(address, 4), "little")

    def byte(self, address):
        return self.bytes(address, 1)[0]

    def string(self, address):
        """A std::string_view: size, then pointer."""
        size, data = self.word(address), self.word(address + 8)
        return self.bytes(data, size).decode(errors="replace") if 0 < size < 4096 else ""


MEMORY = Memory()


def address_of(symbol):
    try:
        return int(gdb.parse_and_eval(f"(unsigned long)&{symbol}"))
    except gdb.error:
        raise gdb.GdbError(f"no {symbol}: not a Degu program, or its symbols were stripped")


class Layout:
    """The runtime's table of where its fields are."""

    def __init__(self):
        table = address_of("degu_rt_layout")
        for i, field in enumerate(FIELDS):
            setattr(self, field, MEMORY.word(table + 8 * i))
        if self.version != 1:
            raise gdb.GdbError(f"the program's layout is version {self.version}; use the script of its own version")

    def reason_text(self, reason):
        return MEMORY.string(self.reasons + 16 * reason) if reason < self.reason_count else f"reason {reason}"


class Goroutine:
    def __init__(self, layout, address):
        self.layout = layout
        self.id = MEMORY.word(address + layout.id)
        self.name = MEMORY.string(address + layout.name)
        self.status = MEMORY.byte(address + layout.status)
        self.reason = MEMORY.byte(address + layout.reason)
        self.object = MEMORY.word(address + layout.object)
        self.creator = MEMORY.word(address + layout.creator)
        self.created_at = MEMORY.word(address + layout.created_at)
        self.sp = MEMORY.word(address + layout.sp)
        self.low = MEMORY.word(address + layout.stack_low)
        self.high = self.low + MEMORY.half_word(address + layout.stack_size)
        self.thread = None  # gdb's, while it runs

    def state(self):
        if STATES[self.status] != "waiting":
            return STATES[self.status] if self.thread is None else f"running on thread {self.thread.num}"
        text = self.layout.reason_text(self.reason)
        return f"{text} on {self.object:#x}" if self.object else text

    def saved_pcs(self):
        """Program counters, innermost first; return addresses less one, so that they lie in the call."""
        words = 8 * self.layout.switch_words
        if not self.low <= self.sp <= self.high - words:
            return []
        back = MEMORY.word(self.sp + 8 * self.layout.return_word)
        if back < 4096:  # a core without its stack
            return []
        pcs = [back - 1]
        frame = MEMORY.word(self.sp + 8 * self.layout.frame_word)
        while self.low <= frame <= self.high - 16 and len(pcs) < MAX_FRAMES:
            back = MEMORY.word(frame + 8)
            if back < 4096:
                break
            pcs.append(back - 1)
            following = MEMORY.word(frame)
            if following <= frame:
                break
            frame = following
        return pcs

    def thread_pcs(self):
        self.thread.switch()
        frame, pcs = gdb.newest_frame(), []
        while frame is not None and frame.is_valid() and len(pcs) < MAX_FRAMES:
            pcs.append(frame.pc() - (0 if not pcs else 1))
            frame = frame.older()
        return pcs

    def pcs(self):
        try:
            return self.thread_pcs() if self.thread is not None else self.saved_pcs()
        except gdb.MemoryError:
            return []


def function_at(pc):
    text = gdb.execute(f"info symbol {pc:#x}", to_string=True)
    return text.split(" in section ")[0].rsplit(" + ", 1)[0] if " in section " in text else f"{pc:#x}"


def line_at(pc):
    sal = gdb.find_pc_line(pc)
    return f"{sal.symtab.filename}:{sal.line}" if sal.symtab is not None and sal.line else "?"


def goroutines():
    layout = Layout()
    table = address_of("degu_rt_goroutine_chunks")
    chunks, count, chunk_size = (MEMORY.word(table + 8 * i) for i in range(3))
    found = []
    for i in range(count):
        chunk = MEMORY.word(chunks + 8 * i)
        for slot in range(chunk_size):
            address = chunk + slot * layout.size
            status = MEMORY.byte(address + layout.status)
            if status != 0 and status < len(STATES) and not MEMORY.byte(address + layout.is_thread):
                found.append(Goroutine(layout, address))
    attach_threads(found)
    return sorted(found, key=lambda g: g.id)


def attach_threads(found):
    """A goroutine whose stack a thread's stack pointer lies in is running there."""
    selected = gdb.selected_thread()
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        sp = int(gdb.newest_frame().read_register("sp"))
        for g in found:
            if g.low <= sp < g.high:
                g.thread = thread
    if selected is not None:
        selected.switch()


def is_runtime(function):
    return function.startswith(("degu_rt_switch", "degu::rt::switch_", "degu::rt::park", "degu::rt::leave"))


def place(g):
    pcs = g.pcs()
    for pc in pcs:
        if not is_runtime(function_at(pc)):
            return f"{function_at(pc)} at {line_at(pc)}"
    return "no stack" if not pcs else f"{pcs[0]:#x}"


def keep_thread(function):
    """Runs it and selects the thread again that was selected."""
    selected = gdb.selected_thread()
    try:
        function()
    finally:
        if selected is not None:
            selected.switch()


class InfoGoroutines(gdb.Command):
    """info goroutines: every goroutine with its state and where it is."""

    def __init__(self):
        super().__init__("info goroutines", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        def show():
            for g in goroutines():
                print(f"{'*' if g.thread else ' '} {g.id:6} {g.name or '-'} [{g.state()}] {place(g)}")
        keep_thread(show)


class GoroutineCommand(gdb.Command):
    """goroutine ID bt, goroutine all bt: stacks of goroutines."""

    def __init__(self):
        super().__init__("goroutine", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        words = gdb.string_to_argv(argument)
        if len(words) != 2 or words[1] not in ("bt", "backtrace") or not (words[0] == "all" or words[0].isdigit()):
            raise gdb.GdbError("usage: goroutine ID bt, or: goroutine all bt")
        chosen = [g for g in goroutines() if words[0] == "all" or g.id == int(words[0])]
        if not chosen:
            raise gdb.GdbError(f"no goroutine {words[0]}; info goroutines lists them")
        keep_thread(lambda: [show_stack(g) for g in chosen])


def show_stack(g):
    print(f"goroutine {g.id}{' ' if g.name else ''}{g.name} [{g.state()}]:")
    for i, pc in enumerate(g.pcs()):
        print(f"#{i:<3} {pc:#018x} in {function_at(pc)} at {line_at(pc)}")
    if g.created_at:
        print(f"created by {function_at(g.created_at - 1)} in goroutine {g.creator} at {line_at(g.created_at - 1)}")
    print()


InfoGoroutines()
GoroutineCommand()
