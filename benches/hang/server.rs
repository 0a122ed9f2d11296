//! What stands behind the gateway, upstreams that answer and ones that take requests and are silent, and its configuration for them.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The configuration of a gateway on `traffic`, and what stands behind it. The first part of the path says how the canary is: `/well`, `/hangs`
/// and is never held out, `/held` out as it hangs.
pub fn config(traffic: SocketAddr) -> String {
    let [stable, canary, hangs, held] = [answering(), answering(), silent(), silent()];
    let service = |name: &str, settings: &str, canary: SocketAddr| {
        format!(
            "  {name}:\n    default: stable\n    versions:\n      stable: {{endpoints: ['{stable}']}}\n      \
             canary: {{endpoints: ['{canary}'], outliers: off, {settings}}}\n"
        )
    };
    let hanging = "timeouts: {first_byte: 1s}";
    let services = service("well", hanging, canary)
        + &service("hangs", &format!("{hanging}, hold_out: off"), hangs)
        + &service("held", hanging, held);
    let routes: String = ["well", "hangs", "held"]
        .map(|name| {
            format!("  - {{name: {name}, match: {{path_prefix: /{name}}}, service: {name}, version: {{flag: v}}}}\n")
        })
        .concat();
    format!(
        "listeners: [{{bind: '{traffic}'}}]\nthreads: 1\naccess_log: {{to: 'off'}}\nlimits: {{connections_per_address: 50000}}\n\
         flags: {{sources: [{{file: flags.json}}]}}\nservices:\n{services}routes:\n{routes}"
    )
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    (listener, address)
}

/// Answers every request, which has no body.
fn answering() -> SocketAddr {
    let (listener, address) = listen();
    listener.set_nonblocking(true).expect("a listener for a runtime");
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream));
            }
        });
    });
    address
}

async fn answer(mut stream: tokio::net::TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut buffer, mut filled) = ([0; 2048], 0);
    loop {
        match stream.read(&mut buffer[filled..]).await? {
            0 => return Ok(()),
            read => filled += read,
        }
        if buffer[..filled].ends_with(b"\r\n\r\n") {
            filled = 0;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await?;
        }
    }
}

/// Takes connections and keeps them, silent, until the other side has long given them up.
fn silent() -> SocketAddr {
    let (listener, address) = listen();
    thread::spawn(move || {
        let mut held = std::collections::VecDeque::new();
        for stream in listener.incoming() {
            held.push_back(stream);
            held.drain(..held.len().saturating_sub(8192));
        }
    });
    address
}
