//! The compiled route table.

use super::RouteId;
use crate::config::Problem;
use crate::config::route::Route;
use crate::context::RequestFacts;

#[derive(Debug)]
pub struct Table {
    order: Vec<RouteId>,
}

impl Table {
    /// Sorts the routes by precedence.
    pub fn compile(_routes: &[Route]) -> Table {
        todo!()
    }

    /// A problem for each route that can never match because one before it matches all that it would.
    pub fn unreachable(_routes: &[Route]) -> Vec<Problem> {
        todo!()
    }

    /// The first route that matches.
    pub fn find(&self, _routes: &[Route], _facts: &RequestFacts<'_>) -> Option<RouteId> {
        todo!()
    }

    /// Routes in the order in which they are tried.
    pub fn order(&self) -> &[RouteId] {
        &self.order
    }
}
