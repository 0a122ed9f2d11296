//! Why a request goes where it goes: a decision with every step that led to it.
//!
//! Made by the functions that decide real requests, over the same snapshot; only the words are added here. Pure: time and
//! fresh bits are arguments.

pub mod change;
pub mod request;
pub mod shadow;
pub mod words;

use serde::{Deserialize, Serialize};

use crate::config::context::KeySource;
use crate::config::route::Action;
use crate::context::{KeyRules, RequestContext, RequestFacts, Scheme, Verifier};
use crate::decide::headers::{Attempt, decision_headers};
use crate::decide::{Decision, Resolved, decide, request_context, targeting_key};
use crate::flag::ErrorCode;
use crate::flag::set::Step;
use crate::route::RouteId;
use crate::snapshot::caching::CachePlan;
use crate::snapshot::{NamedFlag, Plan, Snapshot};

pub use request::{At, Request};
pub use shadow::ExplainedShadow;

/// A decision, explained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Of the snapshot that decided.
    pub revision: String,
    /// Unix seconds at which it was decided.
    pub at: i64,
    /// What was asked.
    pub request: Asked,
    /// One sentence: what becomes of the request, and why.
    pub why: String,
    /// When the gateway answers by itself.
    pub status: Option<u16>,
    /// The route that takes it.
    pub route: Option<String>,
    /// Where it is forwarded.
    pub service: Option<String>,
    /// The version that serves.
    pub version: Option<String>,
    /// The version that serves in its place, while it is held out, as it fails; only a gateway that runs knows.
    #[serde(default)]
    pub held_out: Option<String>,
    /// Flag trouble that led to the default version: the label `why` of `flagway_fallbacks_total`.
    pub trouble: Option<String>,
    /// None: no flag of the route reads the targeting key.
    pub targeting_key: Option<Key>,
    /// Every flag of the route, the one that decides the version first.
    pub flags: Vec<ExplainedFlag>,
    /// Every shadow of the route, in the order written.
    #[serde(default)]
    pub shadows: Vec<ExplainedShadow>,
    /// Decision fields that the version is sent.
    pub headers: Vec<(String, String)>,
    /// The visitor cookie that the response sets.
    pub set_cookie: Option<String>,
    /// What is done to the response so that shared caches mix no variants.
    pub caching: Option<String>,
    /// Fields of the request that were dropped, as only Flagway may set them.
    pub dropped: Vec<String>,
}

/// The request as it was understood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// `GET`
    pub method: String,
    /// `http` or `https`, of the client's own connection.
    pub scheme: String,
    /// Lower case, without port.
    pub host: String,
    /// In the form that is matched and forwarded.
    pub path: String,
    /// The listener's name.
    pub listener: String,
    /// The client's address, as far as trusted proxies tell.
    pub client_ip: String,
    /// Whether the peer is a trusted proxy.
    pub trusted: bool,
}

/// Where the targeting key came from; never the key itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Key {
    /// `cookie uid`; none: no source gave one.
    pub source: Option<String>,
    /// A new visitor: the key is fresh, and another request without one may be decided otherwise.
    pub minted: bool,
    /// Every source that is asked, in order.
    pub sources: Vec<String>,
    /// `jwt: expired`; none: no token was looked at, or it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// One flag of the route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExplainedFlag {
    /// The flag.
    pub key: String,
    /// Whether it decides the version.
    pub decides_version: bool,
    /// None: it has no value for this request.
    pub variant: Option<String>,
    /// The variant's value.
    pub value: Option<serde_json::Value>,
    /// `TARGETING_MATCH`
    pub reason: String,
    /// `PARSE_ERROR`
    pub error: Option<String>,
    /// The limit that the evaluation went over: `steps` or `bytes`.
    pub limit: Option<String>,
    /// What was evaluated, in order.
    pub steps: Vec<ExplainedStep>,
    /// What would have to change for another variant.
    pub otherwise: Vec<String>,
}

/// One step of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedStep {
    /// Depth in the rule, from 0.
    pub depth: usize,
    /// The expression, in short.
    pub what: String,
    /// What came out, with notes such as the bucket in parentheses.
    pub result: String,
}

/// Explains what becomes of a request that arrives at `now`, unless it says when. `fresh` are 128 random bits, for a visitor who would be minted.
/// Tokens are verified by `verifier`.
pub fn explain(
    snapshot: &Snapshot,
    verifier: Option<&Verifier>,
    request: &Request,
    now: i64,
    fresh: u128,
) -> Result<Explanation, String> {
    let config = &snapshot.config;
    let arrived = request.arrive(config, now)?;
    let facts = RequestFacts::new(arrived.raw(), &config.context, config.paths);
    let facts = facts.map(|facts| facts.verified_by(verifier));
    let mut explanation = Explanation {
        revision: snapshot.revision.to_string(),
        at: arrived.at,
        request: arrived.asked(facts.as_ref().ok()),
        why: String::new(),
        status: None,
        route: None,
        service: None,
        version: None,
        held_out: None,
        trouble: None,
        targeting_key: None,
        flags: Vec::new(),
        shadows: Vec::new(),
        headers: Vec::new(),
        set_cookie: None,
        caching: None,
        dropped: arrived.dropped.clone(),
    };
    match &facts {
        Err(bad) => {
            explanation.status = Some(400);
            explanation.why = words::refused(*bad);
        }
        Ok(facts) => {
            let decision = decide(snapshot, facts, arrived.at, fresh);
            Explainer { snapshot, facts, decision: &decision, at: arrived.at, fresh }.tell(&mut explanation);
        }
    }
    Ok(explanation)
}

impl Explanation {
    /// Its version is held out now: another one serves.
    pub fn hold_out(&mut self, serves: &str) {
        self.why.push_str(&words::held_out(serves));
        self.held_out = Some(serves.to_owned());
    }
}

/// A decision and all it was made of.
struct Explainer<'a> {
    snapshot: &'a Snapshot,
    facts: &'a RequestFacts<'a>,
    decision: &'a Decision,
    at: i64,
    fresh: u128,
}

impl Explainer<'_> {
    fn tell(&self, told: &mut Explanation) {
        let config = &self.snapshot.config;
        let Some(id) = self.decision.route else {
            told.status = Some(404);
            told.why = words::unmatched(config.routes.len());
            return;
        };
        let (route, plan) = (&config.routes[id.0], self.snapshot.plan(id));
        told.route = Some(route.name.to_string());
        match &route.action {
            Action::Forward(_) => {}
            Action::Redirect(redirect) => told.status = Some(redirect.status.as_u16()),
            Action::Respond(response) => told.status = Some(response.status.as_u16()),
            // What it answers, its body decides.
            Action::Ofrep(_) => {}
        }
        let sources = route.targeting_key.as_deref().unwrap_or(&config.context.targeting_key);
        if plan.asks_key() {
            told.targeting_key = Some(self.key(plan, sources));
        }
        if let Some(key) = &mut told.targeting_key {
            key.token = words::token(self.decision);
        }
        if self.decision.refused {
            told.status = Some(401);
            told.why = words::keyless_refused(told);
            return;
        }
        self.tell_flags(id, plan, told);
        if let Some(target) = self.decision.target {
            told.service = Some(config.service(target.service).name.to_string());
            told.version = Some(config.version(target.service, target.version).name.to_string());
            told.trouble = target.trouble.map(|trouble| trouble.label().to_owned());
            let attempt = Attempt { version: target.version, why: None, shadow: None };
            decision_headers(self.snapshot, self.decision, attempt, self.facts.headers, |name, value| {
                told.headers.push((name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
            });
        }
        told.set_cookie = self.decision.visitor.as_ref().and_then(|change| {
            let value = plan.key_rules.set_cookie(change, self.facts.scheme == Scheme::Https)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        told.caching = match &plan.caching {
            CachePlan::Untouched => None,
            CachePlan::Vary(names) => Some(format!("Vary: {}", String::from_utf8_lossy(names.as_bytes()))),
            CachePlan::Private => Some("Cache-Control: private".to_owned()),
        };
        told.why = words::decided(told, self.decision, plan);
    }

    /// Asks one source after the other, as the list does.
    fn key(&self, plan: &Plan, sources: &[KeySource]) -> Key {
        let given = sources.iter().find_map(|source| {
            let rules = KeyRules::new(std::slice::from_ref(source));
            let key = rules.resolve(self.facts, plan.may_mint(), self.at, self.fresh)?;
            Some((words::key_source(source), key.visitor.is_some_and(|change| change.minted)))
        });
        let (source, minted) = given.map_or((None, false), |(source, minted)| (Some(source), minted));
        Key { source, minted, token: None, sources: sources.iter().map(words::key_source).collect() }
    }

    /// The route's own flags, then its shadows with theirs.
    fn tell_flags(&self, id: RouteId, plan: &Plan, told: &mut Explanation) {
        let targeting = targeting_key(plan, self.facts, self.at, self.fresh);
        let context = request_context(self.snapshot, self.facts, id, targeting.as_ref(), self.at);
        let key = told.targeting_key.as_ref();
        let decides_version = plan.forward.as_ref().is_some_and(|forward| forward.version.is_some());
        let flags = plan.flags.iter().zip(&self.decision.resolved).enumerate();
        told.flags = flags
            .map(|(index, (planned, resolved))| ExplainedFlag {
                decides_version: index == 0 && decides_version,
                ..self.flag(planned, resolved, &context, key)
            })
            .collect();
        let Action::Forward(forward) = &self.snapshot.config.routes[id.0].action else { return };
        let shadows = forward.shadows.iter().zip(&plan.shadows).zip(&self.decision.shadows);
        told.shadows = shadows
            .map(|((rule, plan), decided)| {
                let flag = self.flag(&plan.flag, &decided.resolved, &context, key);
                ExplainedShadow::new(rule, (plan, decided), self, flag)
            })
            .collect();
    }

    fn flag(
        &self,
        planned: &NamedFlag,
        resolved: &Resolved,
        context: &RequestContext<'_>,
        key: Option<&Key>,
    ) -> ExplainedFlag {
        let flags = &self.snapshot.flags;
        let flag = planned.of(flags);
        let steps = planned.id.map(|id| flags.trace(id, context).1).unwrap_or_default();
        let variant = flag.zip(resolved.variant);
        ExplainedFlag {
            key: planned.key.to_string(),
            decides_version: false,
            variant: variant.and_then(|(flag, variant)| Some(flag.variant_name(variant)?.to_string())),
            value: variant.and_then(|(flag, variant)| flag.value(variant)).cloned(),
            reason: resolved.reason.as_str().to_owned(),
            error: resolved.error.map(|error| error.as_str().to_owned()),
            limit: resolved.error.and_then(ErrorCode::limit).map(|limit| limit.as_str().to_owned()),
            otherwise: change::otherwise(flag, resolved, &steps, key),
            steps: steps
                .into_iter()
                .map(|Step { depth, what, result }| ExplainedStep { depth, what, result })
                .collect(),
        }
    }
}
