//! What a targeting can see of a request: facts, attribute mapping, cookies, the targeting key.
//!
//! [`RequestFacts`] is a request without Pingora; [`Readers`] is the configured mapping compiled for the attribute paths
//! that rules really read; [`RequestContext`] joins both into what a flag's [`crate::flag::Context`] asks. What a client sends is public:
//! nothing here is access control, but a [`Token`] that is verified and a cookie that is signed.

pub mod cookies;
pub mod facts;
pub mod headers;
pub mod key;
pub mod path;
mod reader;
pub mod readers;
mod seal;
pub mod secured;
pub mod token;
mod unknown;
pub mod visitor;

pub use facts::{BadRequest, RawRequest, RequestFacts, Scheme};
pub use key::{KeyRules, TargetingKey};
pub use readers::{Input, Readers, RequestContext};
pub use secured::{Fact, Identity, Secured};
pub use token::{Refused, Token, Verifier};
pub use visitor::VisitorChange;
