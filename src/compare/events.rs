//! What can become of a copy short of a comparison, each with its token for metrics and reports.

/// Declares an enumeration with a token for each value.
macro_rules! tokens {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $value:ident = $token:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$about])* $value,)* }

        impl $name {
            /// Every value, in the order of its discriminant.
            pub const ALL: &[$name] = &[$($name::$value,)*];

            /// Its token.
            pub fn label(self) -> &'static str {
                match self { $($name::$value => $token,)* }
            }
        }
    };
}

tokens! {
    /// Why no copy was sent although the flag asked for one.
    Dropped {
        /// The method is not copied.
        Method = "method",
        /// The request asks for an upgrade.
        Upgrade = "upgrade",
        /// The version serves the request already.
        SameVersion = "same_version",
        /// The flag is missing, broken, or names no version.
        Flag = "flag",
        /// The request's body is longer than `max_body`.
        BodyTooLarge = "body_too_large",
        /// All shadows together hold `shadows.max_bytes`.
        Memory = "memory",
        /// The original was tried again, before its copy was complete.
        Retried = "retried",
        /// The original ended before its body was complete.
        Unfinished = "unfinished",
        /// `shadows.queue` is full.
        Queue = "queue",
        /// `max_in_flight` copies are under way.
        InFlight = "in_flight",
        /// The version failed too often and has a rest.
        Breaker = "breaker",
        /// The version has no endpoint that takes a connection.
        NoEndpoint = "no_endpoint",
    }
}

tokens! {
    /// Why a copy that was sent has no answer.
    Failed {
        /// The endpoint took no connection.
        Connect = "connect",
        /// `timeout` was over.
        Timeout = "timeout",
        /// The connection was closed before the answer was complete.
        Closed = "closed",
        /// The answer was no HTTP.
        Protocol = "protocol",
        /// The answer's body was longer than `max_answer`.
        AnswerTooLarge = "answer_too_large",
    }
}

tokens! {
    /// Why an answered copy was not compared although the sample asked for it.
    Uncompared {
        /// The original had no complete answer in time.
        Original = "original",
        /// The original was served by another version than decided, after that one had failed.
        Fallback = "fallback",
        /// There was no room to keep an answer.
        Memory = "memory",
        /// A body's encoding is unknown, broken, or inflates too much.
        Encoding = "encoding",
    }
}
