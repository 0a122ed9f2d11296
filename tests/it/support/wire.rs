//! A client that says bytes, whatever they are, and hears everything that is answered.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Everything that is answered until the peer closes, or until `patience` is over.
pub fn say(address: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
    say_for(address, bytes, PATIENCE)
}

/// The same for peers that may not close.
pub fn say_for(address: SocketAddr, bytes: impl AsRef<[u8]>, patience: Duration) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(patience)).unwrap();
    // Whoever closes early has heard enough.
    let _ = stream.write_all(bytes.as_ref());
    let mut answers = Vec::new();
    // A connection that is reset has said what it had to say.
    let _ = stream.read_to_end(&mut answers);
    String::from_utf8_lossy(&answers).into_owned()
}

/// The statuses of answers in HTTP/1.1.
pub fn statuses(answers: &str) -> Vec<&str> {
    answers.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.get(..3)).collect()
}
