//! Bodies in their encodings, and what is no JSON.

use super::*;
