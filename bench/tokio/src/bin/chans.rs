//! Channels and select. Twin of bench/go/chans.go. Tokio's mpsc channels hold one element at least and have one receiver,
//! so ping-pong goes through channels of 1 and the rows with four receivers are left out.
use std::time::Instant;
use tokio::sync::mpsc::{channel, Receiver};
use twins::{per_op, report, scaled};

async fn ping_pong(n: usize) {
    let (there, mut there_end) = channel::<usize>(1);
    let (back, mut back_end) = channel::<usize>(1);
    tokio::spawn(async move {
        while let Some(value) = there_end.recv().await {
            back.send(value).await.unwrap();
        }
    });
    let start = Instant::now();
    for i in 0..n {
        there.send(i).await.unwrap();
        back_end.recv().await.unwrap();
    }
    report("chan_pingpong", per_op(start, n), "ns/roundtrip");
}

async fn spsc(n: usize) {
    let (sender, mut receiver) = channel::<usize>(128);
    let start = Instant::now();
    tokio::spawn(async move {
        for i in 0..n {
            sender.send(i).await.unwrap();
        }
    });
    let mut sum = 0;
    while let Some(value) = receiver.recv().await {
        sum += value;
    }
    assert_eq!(sum, n * (n - 1) / 2);
    report("chan_spsc_128", per_op(start, n), "ns/op");
}

fn source(n: usize) -> Receiver<usize> {
    let (sender, receiver) = channel::<usize>(128);
    tokio::spawn(async move {
        for i in 0..n {
            sender.send(i).await.unwrap();
        }
    });
    receiver
}

async fn select_of_four(n: usize) {
    let each = n / 4;
    let (mut a, mut b, mut c, mut d) = (source(each), source(each), source(each), source(each));
    let mut sum = 0;
    let start = Instant::now();
    for _ in 0..4 * each {
        tokio::select! {
            Some(value) = a.recv() => sum += value,
            Some(value) = b.recv() => sum += value,
            Some(value) = c.recv() => sum += value,
            Some(value) = d.recv() => sum += value,
        }
    }
    assert_eq!(sum, 4 * (each * (each - 1) / 2));
    report("select4_128", per_op(start, n), "ns/op");
}

fn main() {
    twins::run(async {
        ping_pong(scaled(2_000_000)).await;
        spsc(scaled(10_000_000)).await;
        select_of_four(scaled(4_000_000)).await;
    });
}
