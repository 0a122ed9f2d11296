//! How an upstream can behave that means harm, or is broken.

use std::io::{self, Write};
use std::net::TcpStream;

use super::raw::read_request;

/// What becomes of a connection.
pub type Behaviour = fn(&mut TcpStream) -> io::Result<()>;

/// Sends the same for as long as the peer takes it.
pub fn flood(stream: &mut TcpStream, piece: &[u8]) -> io::Result<()> {
    loop {
        stream.write_all(piece)?;
    }
}

/// Says nothing until the peer goes.
pub fn hang(stream: &mut TcpStream) -> io::Result<()> {
    io::copy(stream, &mut io::sink()).map(drop)
}

/// Reads the request, then says this and closes.
pub fn say(stream: &mut TcpStream, text: &[u8]) -> io::Result<()> {
    read_request(stream)?;
    stream.write_all(text)
}

/// Reads the request, then says this and no more.
pub fn say_and_hang(stream: &mut TcpStream, text: &[u8]) -> io::Result<()> {
    say(stream, text)?;
    hang(stream)
}
