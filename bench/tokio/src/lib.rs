//! What the Tokio twins share: lines of "name value unit", sizes, and a runtime with as many threads as the others have.
use std::env;
use std::future::Future;
use std::time::Instant;

pub fn report(name: &str, value: f64, unit: &str) {
    println!("{name} {value:.2} {unit}");
}

pub fn per_op(start: Instant, n: usize) -> f64 {
    start.elapsed().as_nanos() as f64 / n as f64
}

pub fn ms(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

fn number(variable: &str, otherwise: usize) -> usize {
    env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// n, or n / BENCH_DIVIDE for a quick look whether a program works.
pub fn scaled(n: usize) -> usize {
    n / number("BENCH_DIVIDE", 1).max(1)
}

/// Runs `main` as a task, as Go's main is a goroutine.
pub fn run<F: Future<Output = ()> + Send + 'static>(main: F) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(number("TOKIO_WORKER_THREADS", 2))
        .build()
        .unwrap();
    runtime.block_on(async { tokio::spawn(main).await.unwrap() });
}
