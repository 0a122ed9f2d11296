//! Reads a request's body, within a bound and a time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Version;
use http::header::{CONTENT_LENGTH, EXPECT};
use pingora::Error;
use pingora::proxy::Session;
use tokio::time::{Instant, timeout_at};

/// For the whole body.
const TIME: Duration = Duration::from_secs(10);

/// Why there is none.
#[derive(Debug)]
pub enum Refused {
    /// It is longer than it may be. The rest of it was not read.
    TooLong,
    /// It did not come in time.
    TooSlow,
    /// The client is gone, or is none.
    Broken(Box<Error>),
}

/// The whole body; one that came in one piece is not copied.
pub async fn read(session: &mut Session, max: usize) -> Result<Bytes, Refused> {
    let end = Instant::now() + TIME;
    let head = session.req_header();
    let told = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if told.is_some_and(|told| told > max as u64) {
        return Err(Refused::TooLong);
    }
    if head.version == Version::HTTP_11 && head.headers.contains_key(EXPECT) {
        session.write_continue_response().await.map_err(broken)?;
    }
    let mut whole = Pieces::None;
    loop {
        let piece = timeout_at(end, session.read_request_body()).await.map_err(|_| Refused::TooSlow)?;
        let Some(piece) = piece.map_err(broken)? else { return Ok(whole.join()) };
        if whole.len() + piece.len() > max {
            return Err(Refused::TooLong);
        }
        whole = whole.and(piece);
    }
}

fn broken(error: Box<Error>) -> Refused {
    Refused::Broken(error.into_down())
}

enum Pieces {
    None,
    One(Bytes),
    Many(BytesMut),
}

impl Pieces {
    fn len(&self) -> usize {
        match self {
            Pieces::None => 0,
            Pieces::One(piece) => piece.len(),
            Pieces::Many(pieces) => pieces.len(),
        }
    }

    fn and(self, piece: Bytes) -> Pieces {
        let mut pieces = match self {
            Pieces::None => return Pieces::One(piece),
            Pieces::One(first) => BytesMut::from(&*first),
            Pieces::Many(pieces) => pieces,
        };
        pieces.extend_from_slice(&piece);
        Pieces::Many(pieces)
    }

    fn join(self) -> Bytes {
        match self {
            Pieces::None => Bytes::new(),
            Pieces::One(piece) => piece,
            Pieces::Many(pieces) => pieces.freeze(),
        }
    }
}
