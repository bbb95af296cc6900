//! Skynet on Tokio. Twin of bench/go/skynet.go. usage: skynet chan|join
use std::env;
use std::future::Future;
use std::pin::Pin;
use std::time::Instant;
use tokio::sync::mpsc::{channel, Sender};
use twins::{ms, report, scaled};

const CHILDREN: usize = 10;

fn over_channels(parent: Sender<usize>, first: usize, leaves: usize) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        if leaves == 1 {
            return parent.send(first).await.unwrap();
        }
        let (sender, mut results) = channel(1);
        let share = leaves / CHILDREN;
        for i in 0..CHILDREN {
            tokio::spawn(over_channels(sender.clone(), first + i * share, share));
        }
        let mut sum = 0;
        for _ in 0..CHILDREN {
            sum += results.recv().await.unwrap();
        }
        parent.send(sum).await.unwrap();
    })
}

fn joined(first: usize, leaves: usize) -> Pin<Box<dyn Future<Output = usize> + Send>> {
    Box::pin(async move {
        if leaves == 1 {
            return first;
        }
        let share = leaves / CHILDREN;
        let children: Vec<_> = (0..CHILDREN).map(|i| tokio::spawn(joined(first + i * share, share))).collect();
        let mut sum = 0;
        for child in children {
            sum += child.await.unwrap();
        }
        sum
    })
}

async fn round_ms(join: bool, leaves: usize) -> f64 {
    let start = Instant::now();
    let sum = if join {
        joined(0, leaves).await
    } else {
        let (sender, mut result) = channel(1);
        tokio::spawn(over_channels(sender, 0, leaves));
        result.recv().await.unwrap()
    };
    let elapsed = ms(start);
    assert_eq!(sum, leaves * (leaves - 1) / 2);
    elapsed
}

fn main() {
    let join = env::args().nth(1).as_deref() == Some("join");
    let name = if join { "skynet_1m_join_" } else { "skynet_1m_" };
    let mut leaves = 1;
    while leaves * CHILDREN <= scaled(1_000_000) {
        leaves *= CHILDREN;
    }
    twins::run(async move {
        report(&format!("{name}cold"), round_ms(join, leaves).await, "ms");
        round_ms(join, leaves).await;
        report(&format!("{name}warm"), round_ms(join, leaves).await, "ms");
    });
}
