//! Why a request is refused before anything else sees it: a status for the client, a token for metrics and the log.

use http::StatusCode;

/// What is wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Not three parts with single spaces between, or no HTTP/1 version.
    RequestLine,
    /// More than one empty line in front.
    EmptyLine,
    /// A line that ends in LF alone.
    LineEnd,
    /// The method is no token.
    Method,
    /// `CONNECT`.
    Connect,
    /// A target of no known form, or with a byte that no target has.
    Target,
    /// Over the limit.
    TargetTooLong,
    /// Another version of HTTP.
    Version,
    /// No colon, or a name that is no token: a space before the colon, too.
    FieldName,
    /// A control byte in a value.
    FieldValue,
    /// A line that goes on in the next one.
    Folded,
    /// `_` in a name, where that is refused.
    Underscore,
    /// Over the limit.
    TooManyFields,
    /// Over the limit.
    HeadTooLarge,
    /// HTTP/1.1 without a `Host`.
    HostMissing,
    /// More than one `Host`.
    HostRepeated,
    /// A `Host` that is no authority.
    HostInvalid,
    /// A `Host` that is not the target's authority.
    HostMismatch,
    /// A `Content-Length` that is no number.
    Length,
    /// More than one `Content-Length`.
    LengthRepeated,
    /// `Content-Length` beside `Transfer-Encoding`.
    LengthAndEncoding,
    /// A `Transfer-Encoding` that frames nothing.
    Encoding,
    /// A transfer coding beside `chunked`.
    Coding,
    /// An `Expect` that is not `100-continue`.
    Expectation,
    /// A chunk that is not written as chunks are.
    Chunk,
    /// Over the limit.
    TrailersTooLarge,
    /// The head did not come in time.
    HeadTime,
    /// Over the limit.
    BodyTooLarge,
    /// The body did not come in time.
    BodyTime,
    /// Too many connections.
    Connections,
    /// Whoever has to begin with a head of the PROXY protocol began with something else.
    ProxyHead,
    /// That head did not come in time.
    ProxyTime,
    /// The answer was not over in time.
    RequestTime,
    /// In HTTP/2: a request that Pingora takes for malformed, or frames that break the protocol.
    Malformed,
    /// `:scheme` is not that of a web page.
    Scheme,
    /// Too many frames that carry nothing.
    ControlFrames,
    /// Too many requests that were given up.
    Resets,
}

impl Refusal {
    /// What the client is told.
    pub fn status(self) -> StatusCode {
        match self {
            Refusal::Connect => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::TargetTooLong => StatusCode::URI_TOO_LONG,
            Refusal::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Refusal::TooManyFields | Refusal::HeadTooLarge | Refusal::TrailersTooLarge => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Refusal::Coding => StatusCode::NOT_IMPLEMENTED,
            Refusal::Expectation => StatusCode::EXPECTATION_FAILED,
            Refusal::HeadTime | Refusal::BodyTime | Refusal::RequestTime | Refusal::ProxyTime => {
                StatusCode::REQUEST_TIMEOUT
            }
            Refusal::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Connections => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// A token for metrics and the log.
    pub fn why(self) -> &'static str {
        match self {
            Refusal::RequestLine => "request_line",
            Refusal::EmptyLine => "empty_line",
            Refusal::LineEnd => "line_end",
            Refusal::Method => "method",
            Refusal::Connect => "connect",
            Refusal::Target => "target",
            Refusal::TargetTooLong => "target_too_long",
            Refusal::Version => "version",
            Refusal::FieldName => "field_name",
            Refusal::FieldValue => "field_value",
            Refusal::Folded => "folded",
            Refusal::Underscore => "underscore",
            Refusal::TooManyFields => "too_many_fields",
            Refusal::HeadTooLarge => "head_too_large",
            Refusal::HostMissing => "host_missing",
            Refusal::HostRepeated => "host_repeated",
            Refusal::HostInvalid => "host_invalid",
            Refusal::HostMismatch => "host_mismatch",
            Refusal::Length => "length",
            Refusal::LengthRepeated => "length_repeated",
            Refusal::LengthAndEncoding => "length_and_encoding",
            Refusal::Encoding => "encoding",
            Refusal::Coding => "coding",
            Refusal::Expectation => "expectation",
            Refusal::Chunk => "chunk",
            Refusal::TrailersTooLarge => "trailers_too_large",
            Refusal::HeadTime => "head_time",
            Refusal::BodyTooLarge => "body_too_large",
            Refusal::BodyTime => "body_time",
            Refusal::Connections => "connections",
            Refusal::ProxyHead => "proxy_head",
            Refusal::ProxyTime => "proxy_time",
            Refusal::RequestTime => "request_time",
            Refusal::Malformed => "malformed",
            Refusal::Scheme => "scheme",
            Refusal::ControlFrames => "control_frames",
            Refusal::Resets => "resets",
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.why())
    }
}

impl std::error::Error for Refusal {}
