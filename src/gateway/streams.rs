//! Long-lived streams (upgrades, server-sent events, gRPC), and their end after a kill.
//!
//! A kill decides new requests. A stream that was begun before goes on with the version that it has, for hours maybe; whoever kills a
//! version may ask for its end. Ended are streams that the killed flag gave a version by another variant than everyone has now. Not
//! those that came to their version by a fallback or as the default: no variant sent them there.
//!
//! Requests that ask for a stream go over connections of their owners' own (`lines`). An answer that turns out to be a stream though
//! nobody asked for one went over a common connection: it ends with the next piece that comes.
//!
//! Whether the kill still stands is asked of what is live when the time is over: everyone gets one variant, and the same one. If it was
//! released, nothing ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use http::HeaderValue;
use http::header::CONTENT_TYPE;
use pingora::http::ResponseHeader;
use pingora::upstreams::peer::HttpPeer;
use prometheus::IntCounter;

use super::lines::{Cut, Lines, Owner};
use super::live::{Live, Published};
use super::roll::{Present, Roll};
use crate::config::service::{ServiceId, VersionId};
use crate::decide::Decision;
use crate::flag::{FlagId, FlagSet, FlagState, VariantId};
use crate::telemetry::Metrics;

/// A request that was decided just before a kill may be a stream only after the end: it is looked for once more.
const LATE: Duration = Duration::from_secs(1);

/// All open streams and the connections made for them. Outlives snapshots.
#[derive(Debug)]
pub struct Streams {
    open: Arc<Roll<Stream>>,
    /// Connections, of streams and all others.
    pub lines: Lines,
    /// Drains so far. What is live knows how many there were when it was made: its era. So streams that began after a kill was
    /// released are told from those before, and share no connection with them.
    drains: AtomicU64,
    ended: IntCounter,
}

/// One stream, open while this is held.
#[derive(Debug)]
pub struct Streaming(Present<Stream>);

#[derive(Debug)]
struct Stream {
    live: Held,
    service: ServiceId,
    version: VersionId,
    chosen: Option<Chosen>,
    ended: AtomicBool,
}

/// The flag that chose a request's version, and its variant that did.
#[derive(Debug, Clone, Copy)]
pub struct Chosen {
    flag: FlagId,
    variant: VariantId,
}

impl Chosen {
    /// None: the version that serves is the default, because no flag said another or because that one failed.
    pub fn of(live: &Live, decision: &Decision, version: VersionId) -> Option<Chosen> {
        let target =
            decision.target.filter(|target| target.version == version && target.trouble.is_none())?;
        let forward = live.snapshot.plan(decision.route?).forward.as_ref()?;
        forward.version.as_ref().filter(|_| forward.service == target.service)?;
        // The version's flag is the plan's first.
        let resolved = decision.resolved.first()?;
        Some(Chosen { flag: resolved.flag?, variant: resolved.variant? })
    }

    fn names(self, live: &Live) -> Option<(&Arc<str>, &Arc<str>)> {
        let flag = live.snapshot.flags.get(self.flag);
        Some((&flag.key, flag.variant_name(self.variant)?))
    }
}

/// What is live, where only its name is worth printing.
struct Held(Arc<Live>);

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.snapshot.revision.as_str())
    }
}

impl Streams {
    /// None is open yet.
    pub fn new(metrics: &Metrics) -> Streams {
        Streams {
            open: Arc::default(),
            lines: Lines::default(),
            drains: AtomicU64::new(0),
            ended: metrics.streams_ended(),
        }
    }

    /// Ends all of them, and with their connections whatever else waits for an upstream: the gateway ends. How many there were.
    pub fn end_all(&self) -> usize {
        let ended = self.open.count(|stream| !stream.ended.swap(true, Ordering::Relaxed));
        self.lines.cut(Cut::Stop, |_| true);
        ended
    }

    /// The era of what is made live now.
    pub fn era(&self) -> u64 {
        self.drains.load(Ordering::Relaxed)
    }
}

/// Whether an answer is one, though nobody may have asked for it.
pub fn is_stream(response: &ResponseHeader) -> bool {
    let kind = response.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| {
        [&b"text/event-stream"[..], b"application/grpc"].iter().any(|stream| kind.starts_with(stream))
    })
}

impl Streaming {
    /// A stream begins, at a version of a service.
    pub fn begin(
        live: &Arc<Live>,
        service: ServiceId,
        version: VersionId,
        chosen: Option<Chosen>,
    ) -> Streaming {
        live.open_streams(service, version).inc();
        let held = Held(Arc::clone(live));
        let stream = Stream { live: held, service, version, chosen, ended: AtomicBool::new(false) };
        Streaming(live.streams.open.enter(stream))
    }

    /// Has its peer dialled so that it can be ended.
    pub fn prepare(&self, peer: &mut HttpPeer, upgrade: bool) {
        let Stream { live: Held(live), chosen, .. } = &*self.0;
        let owner = chosen.and_then(|chosen| chosen.names(live)).map(|(flag, variant)| Owner {
            flag: Arc::clone(flag),
            variant: Arc::clone(variant),
            era: live.era,
        });
        live.streams.lines.dial(peer, owner, upgrade);
    }

    /// Whether a kill ended it.
    pub fn is_ended(&self) -> bool {
        self.0.ended.load(Ordering::Relaxed)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.live.0.open_streams(self.service, self.version).dec();
    }
}

/// A kill whose streams are to end.
struct Killed {
    flag: Arc<str>,
    /// That everyone gets.
    variant: Arc<str>,
    /// The last one of streams that may have another.
    era: u64,
}

/// Ends, when the time is over, the streams whose version was chosen by `flag` with another variant than the one that everyone gets
/// since it was killed. To be called once the kill is live, within a tokio runtime. Gives how many are open now; none, and nothing
/// ends, where no kill stands. If the kill is released before the time is over, or replaced by one to another variant, nothing ends.
pub fn drain_killed(live: &Published, flag: &str, after: Duration) -> usize {
    let present = live.load_full();
    let Some(variant) = for_everyone(&present.snapshot.flags, flag) else { return 0 };
    let era = present.streams.drains.fetch_add(1, Ordering::Relaxed);
    let killed = Killed { flag: flag.into(), variant: Arc::clone(variant), era };
    let concerned = present.streams.open.count(|stream| killed.concerns(stream));
    tracing::info!(
        flag,
        variant = &**variant,
        streams = concerned,
        ?after,
        "streams will be ended after a kill"
    );
    tokio::spawn(killed.end(Arc::clone(live), after));
    concerned
}

impl Killed {
    async fn end(self, live: Published, after: Duration) {
        for wait in [after, LATE] {
            tokio::time::sleep(wait).await;
            let present = live.load_full();
            if for_everyone(&present.snapshot.flags, &self.flag) != Some(&self.variant) {
                tracing::info!(flag = &*self.flag, "the kill does not stand any more; streams go on");
                return;
            }
            let ended = self.cut(&present.streams);
            if ended > 0 {
                tracing::info!(
                    flag = &*self.flag,
                    variant = &*self.variant,
                    ended,
                    "streams ended after a kill"
                );
            }
        }
    }

    fn cut(&self, streams: &Streams) -> usize {
        let end = |stream: &Stream| self.concerns(stream) && !stream.ended.swap(true, Ordering::Relaxed);
        let ended = streams.open.count(end);
        // Before the connections: whoever sees one end finds out why.
        streams.ended.inc_by(ended as u64);
        streams.lines.cut(Cut::Kill, |line| {
            line.owner.as_ref().is_some_and(|owner| self.owns(&owner.flag, &owner.variant, owner.era))
        });
        ended
    }

    fn concerns(&self, stream: &Stream) -> bool {
        let Held(live) = &stream.live;
        let names = stream.chosen.and_then(|chosen| chosen.names(live));
        names.is_some_and(|(flag, variant)| self.owns(flag, variant, live.era))
    }

    fn owns(&self, flag: &str, variant: &str, era: u64) -> bool {
        *flag == *self.flag && *variant != *self.variant && era <= self.era
    }
}

/// The variant that a flag gives everyone, if that is what it does.
fn for_everyone<'f>(flags: &'f FlagSet, flag: &str) -> Option<&'f Arc<str>> {
    let definition = flags.get(flags.find(flag)?).definition.as_deref()?;
    let settled = definition.state == FlagState::Enabled && definition.targeting.is_none();
    let (name, _) = definition.variants.get(definition.default_variant.filter(|_| settled)?.0 as usize)?;
    Some(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::decide::decide;
    use crate::snapshot::fixture::{facts, headers, snapshot};

    const OPT_IN: &str = r#"{"state": "ENABLED", "variants": {"stable": "stable", "canary": "canary"}, "defaultVariant": "stable",
        "targeting": {"if": [{"==": [{"var": "header.x-canary"}, "always"]}, "canary"]}}"#;
    const KILLED: &str = r#"{"state": "ENABLED", "variants": {"canary": "canary", "stable": "stable"}, "defaultVariant": "stable"}"#;

    /// What is live with this flag `v`, and perhaps another one, which moves its id.
    fn live(v: &str, more: &str, before: Option<&Arc<Live>>) -> Arc<Live> {
        let flags = format!(r#"{{"flags": {{{more} "v": {v}}}}}"#);
        let snapshot = snapshot("", "    match: {path_prefix: /}\n    version: {flag: v}", &flags);
        Arc::new(Live::new(Arc::new(snapshot), &Metrics::new(100), before.map(|before| &**before)))
    }

    /// A stream of a request that opts in or does not; `failed`: its version does not answer, and the default does.
    fn stream(live: &Arc<Live>, opts_in: bool, failed: bool) -> Streaming {
        let fields = headers(if opts_in { &[("x-canary", "always")] } else { &[] });
        let decision = decide(&live.snapshot, &facts(&live.snapshot, "/", &fields), 0, 0);
        let target = decision.target.expect("the route forwards");
        let version = if failed { VersionId(0) } else { target.version };
        Streaming::begin(live, target.service, version, Chosen::of(live, &decision, version))
    }

    fn killed(live: &Live) -> Killed {
        let variant = for_everyone(&live.snapshot.flags, "v").expect("a kill stands");
        let era = live.streams.drains.fetch_add(1, Ordering::Relaxed);
        Killed { flag: "v".into(), variant: Arc::clone(variant), era }
    }

    #[test]
    fn what_another_variant_of_the_flag_sent_there_before_the_kill_ends() {
        let before = live(OPT_IN, "", None);
        let (canary, stable) = (stream(&before, true, false), stream(&before, false, false));
        let fell_back = stream(&before, true, true);
        let during = live(KILLED, r#""a": {"state": "DISABLED", "variants": {"on": true}},"#, Some(&before));
        let killed = killed(&during);
        // It was decided before the kill, and began after the drain did.
        let late = stream(&before, true, false);
        let new = stream(&during, true, false);
        let released = live(OPT_IN, "", Some(&during));
        let after = stream(&released, true, false);

        assert_eq!(during.streams.open.count(|stream| killed.concerns(stream)), 2);
        assert_eq!(killed.cut(&during.streams), 2);
        let ended = [&canary, &late, &stable, &fell_back, &new, &after].map(Streaming::is_ended);
        assert_eq!(ended, [true, true, false, false, false, false]);
        assert_eq!(killed.cut(&during.streams), 0, "each is counted once");
        assert_eq!(self::killed(&during).cut(&during.streams), 1, "the next kill comes for what began since");
    }

    #[test]
    fn a_version_that_no_flag_chose_is_nobodys() {
        let live = live(r#"{"state": "DISABLED", "variants": {"stable": "stable"}}"#, "", None);
        assert!(stream(&live, true, false).0.chosen.is_none());
        let unknown = self::live(&OPT_IN.replace(r#""canary": "canary""#, r#""canary": "v9""#), "", None);
        assert!(stream(&unknown, true, false).0.chosen.is_none());
        assert!(stream(&unknown, false, false).0.chosen.is_some());
    }

    #[test]
    fn a_kill_stands_where_everyone_gets_one_variant() {
        let flag = |state, default, targeting| {
            let mut flag = json!({"state": state, "variants": {"stable": "stable", "canary": "canary"}});
            flag["defaultVariant"] = default;
            flag["targeting"] = targeting;
            flag.to_string()
        };
        let table = [
            (flag("ENABLED", json!("canary"), json!({})), Some("canary")),
            (flag("ENABLED", json!("canary"), json!({"if": [true, "canary"]})), None),
            (flag("ENABLED", json!(null), json!({})), None),
            (flag("DISABLED", json!("canary"), json!({})), None),
        ];
        for (flag, expected) in table {
            let live = live(&flag, "", None);
            let flags = &live.snapshot.flags;
            assert_eq!(for_everyone(flags, "v").map(|name| &**name), expected, "{flag}");
            assert_eq!(for_everyone(flags, "w"), None);
        }
    }
}
