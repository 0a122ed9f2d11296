//! The demo's files: the example of `conf/`, with the demo's own ports, in a folder where it can be edited.

use std::io::{Error, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use super::Failure;
use crate::cli::start::Bound;

const CONFIG: &str = include_str!("../../../conf/flagway.yaml");
const FLAGS: &str = include_str!("../../../conf/flags.json");

/// What `--shadow` adds to the configuration's one route.
const SHADOW: &str = "
    shadows:
      - flag: checkout-shadow           # its value names the version that gets a copy, or none
        compare: {noise: 100%}          # another copy to the version that serves: what differs there too is noise";
/// And to the flags, before the first.
const SHADOW_FLAG: &str = r#"
    "checkout-shadow": {
      "state": "ENABLED",
      "variants": {"canary": "canary", "none": "none"},
      "defaultVariant": "canary",
      "metadata": {"owner": "team-checkout", "type": "operational"}
    },"#;

/// Ports on 127.0.0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// The gateway's listener.
    pub traffic: u16,
    /// The admin API.
    pub admin: u16,
    /// The probes.
    pub probes: u16,
    /// The make-believe stable version.
    pub stable: u16,
    /// The make-believe canary.
    pub canary: u16,
}

/// Sockets on ports that were found free, so that nobody else finds them too.
#[derive(Debug)]
pub struct Held(Vec<TcpListener>);

/// The ports that the example names.
const WRITTEN: Ports = Ports { traffic: 8080, admin: 9901, probes: 9902, stable: 9001, canary: 9002 };

impl Ports {
    /// The example's own where they are free, others where they are not. One that was asked for is taken as it is.
    pub fn find(traffic: Option<u16>, stable: u16, canary: u16) -> std::io::Result<(Ports, Held)> {
        let mut held = Vec::new();
        let mut free = |wanted: u16| {
            let socket =
                TcpListener::bind(("127.0.0.1", wanted)).or_else(|_| TcpListener::bind("127.0.0.1:0"))?;
            let port = socket.local_addr()?.port();
            held.push(socket);
            Ok::<u16, Error>(port)
        };
        let ports = Ports {
            traffic: traffic.map_or_else(|| free(WRITTEN.traffic), Ok)?,
            admin: free(WRITTEN.admin)?,
            probes: free(WRITTEN.probes)?,
            stable,
            canary,
        };
        Ok((ports, Held(held)))
    }
}

impl Held {
    /// Gives a held socket to whoever wants its address, and binds any other.
    pub fn or_bind(mut self) -> impl FnMut(SocketAddr) -> Bound {
        move |address| {
            let found =
                self.0.iter().position(|socket| socket.local_addr().is_ok_and(|held| held == address));
            found.map_or_else(|| TcpListener::bind(address), |index| Ok(self.0.swap_remove(index)))
        }
    }
}

/// Where the files are.
#[derive(Debug, Clone)]
pub struct Example {
    /// Absolute.
    pub folder: PathBuf,
    /// The configuration.
    pub config: PathBuf,
    /// The flags.
    pub flags: PathBuf,
    /// The gateway's own log.
    pub log: PathBuf,
}

impl Example {
    /// Writes the example into `folder`, or into a new temporary one; with `shadow`, the canary gets copies. It overwrites nothing.
    pub fn write(folder: Option<&Path>, ports: &Ports, shadow: bool) -> Result<Example, Failure> {
        let folder = match folder {
            Some(folder) => std::fs::create_dir_all(folder).and_then(|()| folder.canonicalize()),
            None => new_folder(),
        };
        let folder = folder.map_err(|error| format!("the folder for the example cannot be made: {error}"))?;
        let example = Example {
            config: folder.join("flagway.yaml"),
            flags: folder.join("flags.json"),
            log: folder.join("flagway.log"),
            folder,
        };
        let (mut config, mut flags) = (config(ports), FLAGS.to_owned());
        if shadow {
            insert_behind(&mut config, "    inject: ", SHADOW);
            insert_behind(&mut flags, "  \"flags\": {", SHADOW_FLAG);
        }
        write_new(&example.config, &config)?;
        write_new(&example.flags, &flags)?;
        Ok(example)
    }
}

/// The example with other ports; its access log goes beside it, since the terminal shows something else.
fn config(ports: &Ports) -> String {
    let pairs = [
        (WRITTEN.traffic, ports.traffic),
        (WRITTEN.admin, ports.admin),
        (WRITTEN.probes, ports.probes),
        (WRITTEN.stable, ports.stable),
        (WRITTEN.canary, ports.canary),
    ];
    // In one pass over the text, since a new port may be another's old one.
    let mut text = String::with_capacity(CONFIG.len());
    for (index, part) in CONFIG.split("127.0.0.1:").enumerate() {
        if index > 0 {
            text.push_str("127.0.0.1:");
        }
        let known = pairs.iter().find(|(old, _)| index > 0 && part.starts_with(&old.to_string()));
        match known {
            Some((old, new)) => text.push_str(&part.replacen(&old.to_string(), &new.to_string(), 1)),
            None => text.push_str(part),
        }
    }
    text.replace("access_log: {to: stdout}", "access_log: {to: access.log}")
}

/// Inserts lines behind the line that begins so.
fn insert_behind(text: &mut String, beginning: &str, lines: &str) {
    let found = text.find(&format!("\n{beginning}"));
    let end = found.and_then(|at| Some(at + 1 + text[at + 1..].find('\n')?));
    text.insert_str(end.unwrap_or(text.len()), lines);
}

fn new_folder() -> std::io::Result<PathBuf> {
    let folder =
        std::env::temp_dir().canonicalize()?.join(format!("flagway-demo-{:08x}", rand::random::<u32>()));
    std::fs::create_dir(&folder)?;
    Ok(folder)
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes())).map_err(|error| {
        let path = path.display();
        Failure::Message(match error.kind() {
            ErrorKind::AlreadyExists => format!(
                "{path} exists, and the demo overwrites nothing; give another --dir, or serve it: flagway run {path}"
            ),
            _ => format!("{path} cannot be written: {error}"),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHERS: Ports = Ports { traffic: 9001, admin: 40001, probes: 40002, stable: 40003, canary: 8080 };

    #[test]
    fn every_address_of_the_example_gets_its_own_port() {
        let text = config(&OTHERS);
        for line in [
            "{name: main, bind: \"127.0.0.1:9001\"}",
            "probes: {bind: \"127.0.0.1:40002\"}",
            "admin: {bind: \"127.0.0.1:40001\"}",
            "stable: {endpoints: [\"127.0.0.1:40003\"]}",
            "canary: {endpoints: [\"127.0.0.1:8080\"]}",
            "access_log: {to: access.log}",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert_eq!(config(&WRITTEN).replace("access.log", "stdout"), CONFIG);
    }

    #[test]
    fn what_is_written_is_good() {
        for (shadow, flags) in [(false, 2), (true, 3)] {
            let folder = tempfile::tempdir().unwrap();
            let example = Example::write(Some(folder.path()), &OTHERS, shadow).unwrap();
            let checked = crate::source::check(&example.config).unwrap();
            assert_eq!(checked.problems, []);
            assert_eq!(checked.snapshot.flags.len(), flags);
            assert_eq!(checked.snapshot.plans[0].shadows.len(), usize::from(shadow));
        }
    }

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        Example::write(Some(folder.path()), &OTHERS, false).unwrap();
        let Err(Failure::Message(message)) = Example::write(Some(folder.path()), &OTHERS, false) else {
            panic!("it was")
        };
        assert!(message.contains("flagway.yaml exists"), "{message}");
    }

    #[test]
    fn ports_are_all_different_and_held_until_they_are_served() {
        let (ports, held) = Ports::find(None, 1, 2).unwrap();
        assert!(ports.traffic != ports.admin && ports.admin != ports.probes && ports.traffic != ports.probes);
        assert_eq!(Ports::find(Some(7), 1, 2).unwrap().0.traffic, 7);

        let address = SocketAddr::from(([127, 0, 0, 1], ports.traffic));
        assert!(TcpListener::bind(address).is_err(), "it is held");
        assert_eq!(held.or_bind()(address).unwrap().local_addr().unwrap(), address);
    }
}
