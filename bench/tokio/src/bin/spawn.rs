//! Start and end of a task, and a yield. Twin of bench/go/spawn.go.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Notify;
use twins::{per_op, report, scaled};

struct WaitGroup {
    left: AtomicUsize,
    done: Notify,
}

impl WaitGroup {
    fn new(n: usize) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(n), done: Notify::new() })
    }
    fn done(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.done.notify_one();
        }
    }
}

async fn all_then_wait(n: usize) {
    let start = Instant::now();
    spawn_all(n).await;
    report("spawn_all_then_wait", per_op(start, n), "ns/goroutine");
}

async fn spawn_all(n: usize) {
    let group = WaitGroup::new(n);
    for _ in 0..n {
        let group = group.clone();
        tokio::spawn(async move { group.done() });
    }
    group.done.notified().await;
}

async fn join_each(n: usize) {
    let start = Instant::now();
    for _ in 0..n {
        tokio::spawn(async {}).await.unwrap();
    }
    report("spawn_join_each", per_op(start, n), "ns/goroutine");
}

async fn batches_of_100(n: usize) {
    let start = Instant::now();
    for _ in 0..n / 100 {
        spawn_all(100).await;
    }
    report("spawn_batch100", per_op(start, n), "ns/goroutine");
}

async fn two_spawners(n: usize) {
    let start = Instant::now();
    let spawners = [tokio::spawn(spawn_all(n / 2)), tokio::spawn(spawn_all(n / 2))];
    for spawner in spawners {
        spawner.await.unwrap();
    }
    report("spawn_2_spawners", per_op(start, n), "ns/goroutine");
}

async fn yields(n: usize) {
    const TASKS: usize = 4;
    let start = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            tokio::spawn(async move {
                for _ in 0..n / TASKS {
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    report("yield_wall", per_op(start, n), "ns/yield");
}

fn main() {
    twins::run(async {
        let n = scaled(5_000_000);
        all_then_wait(n).await;
        join_each(scaled(1_000_000)).await;
        batches_of_100(n).await;
        two_spawners(n).await;
        yields(n).await;
    });
}
