//! tokio::sync::Mutex, uncontended and used by 8 tasks. Twin of bench/go/mutex.go.
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Mutex;
use twins::{per_op, report, scaled};

async fn run(name: &str, tasks: usize, n: usize, work: usize) {
    let counter = Arc::new(Mutex::new(0usize));
    let start = Instant::now();
    let users: Vec<_> = (0..tasks)
        .map(|_| {
            let counter = counter.clone();
            tokio::spawn(async move {
                for _ in 0..n / tasks {
                    let mut value = counter.lock().await;
                    for _ in 0..work {
                        *value = std::hint::black_box(*value + 1);
                    }
                }
            })
        })
        .collect();
    for user in users {
        user.await.unwrap();
    }
    report(name, per_op(start, n), "ns/op");
}

fn main() {
    twins::run(async {
        run("mutex_uncontended", 1, scaled(20_000_000), 1).await;
        run("mutex_8g", 8, scaled(16_000_000), 1).await;
        run("mutex_8g_cs100", 8, scaled(4_000_000), 100).await;
    });
}
