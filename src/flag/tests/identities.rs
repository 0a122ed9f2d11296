//! Flags by who they are: what a map of them gives back, and how a flag is called in a sentence.

use std::sync::Arc;

use crate::flag::flag_map::FlagMap;
use crate::flag::{Identity, Stated};

fn stated(set: &str, key: &str, flag: u32) -> Stated<u32> {
    Stated { identity: Identity { set: set.into(), key: key.into() }, source: Arc::default(), flag }
}

/// `set.key=value`, in order.
fn told(map: &FlagMap<u32>) -> String {
    let one =
        |stated: &Stated<u32>| format!("{}.{}={}", stated.identity.set, stated.identity.key, stated.flag);
    map.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[test]
fn of_equal_keys_the_last_one_counts_and_each_is_found() {
    let mut map = FlagMap::default();
    assert_eq!((map.len(), map.is_empty(), map.get("a")), (0, true, None));
    for (set, key, value) in [("", "b", 1), ("s", "a", 2), ("", "a", 3), ("s", "a", 4)] {
        map.put(stated(set, key, value));
    }
    assert_eq!(told(&map), ".a=3 s.a=4 .b=1", "what is put in again counts last");
    assert_eq!((map.len(), map.is_empty()), (3, false));
    assert_eq!((map.get("a"), map.get("b"), map.get("c"), map["b"]), (Some(&4), Some(&1), None, 1));
    assert_eq!(map.at(&stated("", "a", 0).identity), Some(&3));
    assert_eq!(map.at(&stated("t", "a", 0).identity), None);
    assert_eq!((map.of("a").len(), map.of("c").len()), (2, 0));
    assert_eq!(map.keys().map(|key| &**key).collect::<Vec<_>>(), ["a", "b"]);
    map.replace(&"a".into(), vec![stated("t", "a", 5)]);
    assert_eq!(told(&map), "t.a=5 .b=1");
    map.replace(&"a".into(), Vec::new());
    assert_eq!(told(&map), ".b=1");
    assert_eq!(map.into_values().collect::<Vec<_>>(), [1]);
}

#[test]
fn a_flag_is_called_by_its_key_and_its_set() {
    assert_eq!(Identity::from("a").to_string(), "`a`");
    assert_eq!(stated("s\n", "a", 0).identity.to_string(), "`a` of the flag set `s\\n`");
}
