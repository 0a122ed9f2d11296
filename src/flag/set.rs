//! All flags of a snapshot, compiled, found by key, selector or index.

use std::cell::OnceCell;
use std::sync::Arc;

use super::compile::{Compiled, Paths, compile};
use super::eval::Machine;
use super::meter::Meter;
use super::rule::{Answer, Expr};
use super::trace::{Recorder, Witness};
use super::variants::VariantNames;
use super::{
    Context, Definition, Definitions, Entry, ErrorCode, FlagId, FlagState, Reason, Resolution, Selector,
    Slot, Stated, VariantId,
};
use crate::config::{FlagLimits, FractionalVersion, Severity};

/// The compiled flags.
#[derive(Debug)]
pub struct FlagSet {
    /// By key; of one key, the one that counts last.
    flags: Vec<Flag>,
    /// By flag set, then key.
    by_set: Box<[FlagId]>,
    paths: Vec<Arc<str>>,
    /// What each evaluation may use.
    meter: Meter,
}

/// One compiled flag.
#[derive(Debug)]
pub struct Flag {
    /// Its name.
    pub key: Arc<str>,
    set: Arc<str>,
    source: Arc<str>,
    /// None: there never was a good definition.
    pub definition: Option<Arc<Definition>>,
    /// Everything the rule can read on any branch, a static set.
    pub reads: Reads,
    /// Why there is no definition.
    broken: Option<Arc<str>>,
    names: VariantNames,
    default: Option<VariantId>,
    rule: Rule,
}

#[derive(Debug)]
enum Rule {
    /// Nothing is left to evaluate.
    Settled(Option<VariantId>, Reason, Option<ErrorCode>),
    Run(Expr),
}

/// What a flag's rule can read, on any branch.
#[derive(Debug, Clone, Default)]
pub struct Reads {
    /// Attributes, in order, each once.
    pub slots: Vec<Slot>,
    /// The targeting key, by name or as the unit of a `fractional`.
    pub targeting_key: bool,
    /// `$flagd.timestamp`: the answer may change though nothing else does.
    pub timestamp: bool,
    /// `{"var": ""}` or a computed path: anything at all.
    pub everything: bool,
}

/// A step-by-step account of one evaluation, for `explain`.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Depth in the rule, from 0.
    pub depth: usize,
    /// What was evaluated, in short form: `{"==": [var header.x-canary, "always"]}`.
    pub what: String,
    /// What came out, and how: `variant "canary" (unit: .., bucket 17 of 100, part 1 of 2)`.
    pub result: String,
}

impl FlagSet {
    /// Compiles definitions. It cannot fail: what does not compile never becomes a [`Definition`].
    pub fn compile(definitions: &Definitions, fractional: FractionalVersion, limits: &FlagLimits) -> FlagSet {
        let mut paths = Paths::default();
        let flags = definitions.iter().map(|stated| match &stated.flag {
            Entry::Good(definition) => Flag::compile(stated, definition, fractional, &mut paths),
            Entry::Broken(why) => Flag::broken(stated, why),
        });
        let flags: Vec<_> = flags.collect();
        let mut by_set: Box<[_]> = (0..flags.len()).map(|at| FlagId(at as u32)).collect();
        by_set.sort_by_key(|id| {
            let flag: &Flag = &flags[id.0 as usize];
            (&flag.set, &flag.key)
        });
        FlagSet { flags, by_set, paths: paths.into_list(), meter: Meter::new(limits) }
    }

    /// The flag that counts for a key.
    pub fn find(&self, key: &str) -> Option<FlagId> {
        self.of(key).next_back().map(|(id, _)| id)
    }

    /// The flag that counts for a key among those that a selector selects.
    pub fn find_by(&self, selector: &Selector, key: &str) -> Option<FlagId> {
        self.of(key).rfind(|(_, flag)| selector.selects(flag)).map(|(id, _)| id)
    }

    /// The flags that a selector selects, by flag set, then key.
    pub fn select(&self, selector: &Selector) -> impl Iterator<Item = (FlagId, &Flag)> {
        let all = self.by_set.iter().map(|id| (*id, self.get(*id)));
        all.filter(move |(_, flag)| selector.selects(flag))
    }

    /// All flags of a key, in different sets; the one that counts last.
    pub fn of(&self, key: &str) -> impl DoubleEndedIterator<Item = (FlagId, &Flag)> {
        let start = self.flags.partition_point(|flag| *flag.key < *key);
        let flags = self.flags[start..].iter().take_while(|flag| *flag.key == *key).count();
        (start..start + flags).map(|at| (FlagId(at as u32), &self.flags[at]))
    }

    /// The flag of an id that this set gave.
    pub fn get(&self, id: FlagId) -> &Flag {
        &self.flags[id.0 as usize]
    }

    /// All flags, by key; of one key, the one that counts last.
    pub fn iter(&self) -> impl Iterator<Item = (FlagId, &Flag)> {
        self.flags.iter().enumerate().map(|(index, flag)| (FlagId(index as u32), flag))
    }

    /// How many flags there are.
    pub fn len(&self) -> usize {
        self.flags.len()
    }

    /// Whether there is no flag.
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty()
    }

    /// The attribute paths that any rule reads, by [`Slot`]: `header.x-canary`, `country`. Without `targetingKey` and `$flagd.*`.
    pub fn paths(&self) -> &[Arc<str>] {
        &self.paths
    }

    /// Evaluates one flag. Never panics, never allocates for `if`, comparison, logic, `in`, `fractional`.
    pub fn evaluate<C: Context>(&self, id: FlagId, context: &C) -> Resolution {
        self.get(id).run(id, context, (), self.meter)
    }

    /// Evaluates one flag and tells every step.
    pub fn trace<C: Context>(&self, id: FlagId, context: &C) -> (Resolution, Vec<Step>) {
        let mut recorder = Recorder::new(&self.paths);
        let flag = self.get(id);
        let resolution = flag.run(id, context, &mut recorder, self.meter);
        let mut steps = recorder.into_steps();
        steps.push(flag.conclude(&resolution));
        (resolution, steps)
    }
}

impl Flag {
    /// The value of a variant.
    pub fn value(&self, variant: VariantId) -> Option<&serde_json::Value> {
        self.variants().get(variant.0 as usize).map(|(_, value)| value)
    }

    /// The name of a variant.
    pub fn variant_name(&self, variant: VariantId) -> Option<&Arc<str>> {
        self.variants().get(variant.0 as usize).map(|(name, _)| name)
    }

    /// The variants by [`VariantId`], each with its value; none for a flag that never was good.
    pub fn variants(&self) -> &[(Arc<str>, serde_json::Value)] {
        self.definition.as_ref().map_or(&[], |definition| &definition.variants)
    }

    /// The flag set that it stands in: `flagSetId` of its metadata, known of one that never was good, too.
    pub fn set_id(&self) -> Option<&str> {
        Some(&*self.set).filter(|id| !id.is_empty())
    }

    /// The source that states it, as the configuration names it; empty: it was made by hand.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The variant of that name.
    pub fn variant(&self, name: &str) -> Option<VariantId> {
        self.names.find(name)
    }

    /// Whether it is enabled; none for a flag that never was good.
    pub fn state(&self) -> Option<FlagState> {
        self.definition.as_ref().map(|definition| definition.state)
    }

    /// Why there is no definition.
    pub fn why_broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    fn compile(
        stated: &Stated<Entry>,
        definition: &Arc<Definition>,
        version: FractionalVersion,
        paths: &mut Paths,
    ) -> Flag {
        let names = VariantNames::of(definition);
        let default = definition.default_variant;
        let (rule, reads) = match (&definition.targeting, definition.state) {
            (_, FlagState::Disabled) => (Rule::Settled(None, Reason::Disabled, None), Reads::default()),
            (None, _) if default.is_some() => {
                (Rule::Settled(default, Reason::Static, None), Reads::default())
            }
            (None, _) => (Rule::Settled(None, Reason::Default, None), Reads::default()),
            (Some(targeting), _) => {
                let Compiled { expr, reads, faults } =
                    compile(targeting, "targeting", &definition.key, &names, version, paths);
                if let Some(fault) = faults.iter().find(|fault| fault.severity == Severity::Error) {
                    return Flag::broken(stated, &Arc::from(format!("{}: {}", fault.path, fault.found)));
                }
                (Rule::Run(expr), reads)
            }
        };
        Flag {
            key: stated.identity.key.clone(),
            set: stated.identity.set.clone(),
            source: stated.source.clone(),
            definition: Some(definition.clone()),
            reads,
            broken: None,
            names,
            default,
            rule,
        }
    }

    fn broken(stated: &Stated<Entry>, why: &Arc<str>) -> Flag {
        Flag {
            key: stated.identity.key.clone(),
            set: stated.identity.set.clone(),
            source: stated.source.clone(),
            definition: None,
            reads: Reads::default(),
            broken: Some(why.clone()),
            names: VariantNames::default(),
            default: None,
            rule: Rule::Settled(None, Reason::Error, Some(ErrorCode::ParseError)),
        }
    }

    fn run<C: Context, W: Witness>(&self, id: FlagId, context: &C, witness: W, meter: Meter) -> Resolution {
        let (variant, reason, error) = match &self.rule {
            Rule::Settled(variant, reason, error) => (*variant, *reason, *error),
            Rule::Run(rule) => {
                let whole = OnceCell::new();
                let (flag_key, variants) = (&*self.key, &self.names);
                let mut machine = Machine { context, flag_key, variants, whole: &whole, witness, meter };
                match machine.run(rule) {
                    Ok(Answer::Variant(variant)) => (Some(variant), Reason::TargetingMatch, None),
                    Ok(Answer::Default) => (self.default, Reason::Default, None),
                    Ok(Answer::Unknown) => (None, Reason::Error, Some(ErrorCode::General)),
                    Err(limit) => (None, Reason::Error, Some(ErrorCode::OverLimit(limit))),
                }
            }
        };
        Resolution { flag: id, variant, reason, error }
    }

    /// The last step of a trace: what the rule's result means.
    fn conclude(&self, resolution: &Resolution) -> Step {
        let what = match (&self.rule, self.why_broken()) {
            (_, Some(why)) => format!("there is no usable definition: {why}"),
            (Rule::Run(_), _) => "the rule's result".to_owned(),
            (Rule::Settled(..), _) if resolution.reason == Reason::Disabled => {
                "the flag is disabled".to_owned()
            }
            (Rule::Settled(..), _) => "there is no targeting".to_owned(),
        };
        let variant = resolution.variant.and_then(|variant| self.variant_name(variant));
        let variant =
            variant.map_or("no variant".to_owned(), |name| format!("variant {}", super::fault::quoted(name)));
        let limit = resolution.error.and_then(ErrorCode::limit);
        let limit = limit.map(|limit| format!(" (limit: {})", limit.as_str())).unwrap_or_default();
        let error = resolution.error.map(|code| format!(", {}{limit}", code.as_str())).unwrap_or_default();
        Step { depth: 0, what, result: format!("{variant}, {}{error}", resolution.reason.as_str()) }
    }
}
