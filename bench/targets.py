"""What Degu has to reach in the runtime table: against Go in the same run, or absolutely."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Target:
    faster: float = None   # Go's figure divided by ours is at least this
    at_most: float = None  # ours, in the unit of the row
    against: str = None    # the row of Go's figure, when it has another name

    def text(self):
        parts = [f"≥ {self.faster:g} ×"] if self.faster is not None else []
        parts += [f"≤ {self.at_most:g}"] if self.at_most is not None else []
        return ", ".join(parts)

    def met(self, ours, theirs):
        return ((self.faster is None or ours * self.faster <= theirs)
                and (self.at_most is None or ours <= self.at_most))


TARGETS = {
    "spawn_batch100": Target(3.5, at_most=62),  # 62 ns: Photon on one thread, the cheapest of the peers measured
    "spawn_closure_then_wait": Target(3),
    "spawn_join_each": Target(3),
    "spawn_2_spawners": Target(5),
    "chan_pingpong": Target(4),
    "chan_spsc_128": Target(2.5),
    "chan_mpmc4x4_128": Target(2),
    "chan_mpmc4x4_unbuf": Target(2.5),
    "select4_unbuf": Target(2.5),
    "select4_128": Target(2),
    "select_default_empty": Target(1),
    "mutex_uncontended": Target(1),
    "mutex_8g": Target(1.2),
    "mutex_8g_cs100": Target(1.2),
    "skynet_1m_warm": Target(4),
    "skynet_1m_join_warm": Target(8, against="skynet_1m_warm"),  # Go over channels, the usual way to write it there
    "ctx_withtimeout_create_cancel": Target(4),
    "ctx_tree111k_cancel": Target(2),
    "afterfunc_create": Target(3),
    "afterfunc_create_stop": Target(3),
    "parked_shared_rss": Target(at_most=4400),
    "parked_shared_spawn": Target(1),
    "ticker_nanosleep_late_p99": Target(1),
    "ticker_nanosleep_marked_late_p99": Target(1),
    "ticker_hog_late_p99": Target(1),
    "routes_github_all": Target(2),
    "routes_github_allocations": Target(at_most=0),
    "json_encode_100_orders": Target(3),
    "json_decode_100_orders": Target(3),
    "idle_10k_parked_cpu": Target(at_most=0.05),  # 0.0 as printed with one digit
}
