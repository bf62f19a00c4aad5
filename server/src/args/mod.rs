//! etcd's flag, `ETCD_*` and file names, nothing interpreted.
//!
//! Enters: the command line, the environment, maybe a config file. Leaves: one text per flag. Precedence is etcd's:
//! a config file rules out flags and environment; else a flag beats the environment, and that the default.

mod file;
mod flags;
mod subcommand;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use clap::{Arg, ArgAction, Command};

pub use flags::{FLAGS, Flag, Kind, Standing};
pub use subcommand::parse;

/// Variables that are not flags and not worth a warning.
const KNOWN_VARIABLES: [&str; 3] = [
    "ETCD_COMPATIBILITY_VERSION",
    "ETCD_UNSUPPORTED_ARCH",
    "ETCD_CONFIG_FILE",
];

/// A text for every flag that was given; [`Settings::get`] falls back to the default.
#[derive(Debug, Default, Clone)]
pub struct Settings {
    given: BTreeMap<&'static str, String>,
    /// Things to tell once there is a log.
    pub warnings: Vec<String>,
}

impl Settings {
    /// Reads the command line (without the program's name) and the environment.
    ///
    /// # Errors
    /// A config file that cannot be read or parsed. A wrong command line is a [`clap::Error`].
    pub fn read(
        words: impl Iterator<Item = String>,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Settings> {
        let variables: BTreeMap<String, String> = variables.filter(|(name, _)| name.starts_with("ETCD_")).collect();
        let matches = command().try_get_matches_from(std::iter::once("taffrail".to_owned()).chain(words.map(long)))?;
        let from_flag = |flag: &Flag| matches.get_one::<String>(flag.name).cloned();
        let file = matches
            .get_one::<String>("config-file")
            .cloned()
            .or(variables.get("ETCD_CONFIG_FILE").cloned());
        if let Some(path) = file {
            return file::read(&path).with_context(|| format!("cannot use the config file {path}"));
        }
        let mut settings = Settings::default();
        for flag in FLAGS {
            let value = from_flag(flag).or_else(|| variables.get(&flag.variable()).cloned());
            if let Some(value) = value {
                settings.set(flag, value)?;
            }
        }
        settings.warn_unknown(&variables);
        Ok(settings)
    }

    fn warn_unknown(&mut self, variables: &BTreeMap<String, String>) {
        let known: Vec<String> = FLAGS.iter().map(Flag::variable).collect();
        let unknown = |name: &&String| !known.contains(name) && !KNOWN_VARIABLES.contains(&name.as_str());
        let warnings = variables
            .keys()
            .filter(unknown)
            .map(|name| format!("unrecognized environment variable {name}"));
        self.warnings.extend(warnings);
    }

    /// Keeps a value, unless keeping it would promise what this version does not do.
    fn set(&mut self, flag: &Flag, value: String) -> Result<()> {
        if value == flag.default {
            return Ok(());
        }
        match flag.standing {
            Standing::Used => {}
            Standing::Meaningless => self
                .warnings
                .push(format!("--{} has no meaning here and is ignored", flag.name)),
            Standing::Missing if is_off(&value) => {}
            Standing::Missing => bail!(
                "--{}={value} is not supported by this version; start without it",
                flag.name
            ),
        }
        self.given.insert(flag.name, value);
        Ok(())
    }

    pub fn get(&self, name: &str) -> &str {
        let default = || {
            FLAGS
                .iter()
                .find(|flag| flag.name == name)
                .map_or("", |flag| flag.default)
        };
        self.given.get(name).map_or_else(default, String::as_str)
    }

    pub fn is_given(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }
}

fn is_off(value: &str) -> bool {
    matches!(value, "" | "false" | "0")
}

/// Go's flags may stand behind one dash; etcd's older names carry a prefix.
fn long(word: String) -> String {
    let is_long = word.starts_with("--") || !word.starts_with('-') || word.len() < 3;
    let word = if is_long { word } else { format!("-{word}") };
    let Some(rest) = word.strip_prefix("--experimental-") else {
        return word;
    };
    let name = rest.split('=').next().unwrap_or_default();
    if FLAGS.iter().any(|flag| flag.name == name) {
        format!("--{rest}")
    } else {
        word
    }
}

/// The command line as clap knows it.
pub fn command() -> Command {
    let command = Command::new("taffrail")
        .about("A cluster member that speaks the etcd v3 API")
        .override_usage(
            "taffrail [flags]\n       taffrail snapshot status|hashkv|restore|save FILE [flags]\n       taffrail \
             check|defragment|log dump|migrate [flags]\n       taffrail gateway start [flags]\n       \
             taffrail grpc-proxy start [flags]",
        )
        .disable_version_flag(true)
        // The last one counts, as in Go.
        .args_override_self(true)
        .arg(
            Arg::new("version")
                .long("version")
                .action(ArgAction::SetTrue)
                .help("Print versions and exit"),
        )
        .arg(
            Arg::new("config-file")
                .long("config-file")
                .help("Read everything from this YAML file instead"),
        );
    FLAGS.iter().fold(command, |command, flag| command.arg(arg(flag)))
}

fn arg(flag: &'static Flag) -> Arg {
    let arg = Arg::new(flag.name)
        .long(flag.name)
        .help(flag.help_text())
        .help_heading(flag.group);
    match flag.kind {
        Kind::Switch => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_name("BOOL"),
        Kind::Text => arg.allow_hyphen_values(true).value_name("TEXT"),
        Kind::Number => arg.allow_negative_numbers(true).value_name("N"),
        Kind::Duration => arg.value_name("DURATION"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str], variables: &[(&str, &str)]) -> Result<Settings> {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::read(words.iter().map(|word| (*word).to_owned()), variables)
    }

    #[test]
    fn a_flag_beats_the_environment_and_that_the_default() {
        let settings = read(&["--name", "flag"], &[("ETCD_NAME", "env"), ("ETCD_DATA_DIR", "env")]).expect("valid");
        assert_eq!(settings.get("name"), "flag");
        assert_eq!(settings.get("data-dir"), "env");
        assert_eq!(settings.get("max-txn-ops"), "128");
    }

    #[test]
    fn one_dash_and_old_names_work_as_in_etcd() {
        let settings = read(&["-name=a", "--experimental-watch-progress-notify-interval=5s"], &[]).expect("valid");
        assert_eq!(settings.get("name"), "a");
        assert_eq!(settings.get("watch-progress-notify-interval"), "5s");
    }

    #[test]
    fn every_flag_parses_from_flag_and_environment() {
        for flag in FLAGS.iter().filter(|flag| flag.standing != Standing::Missing) {
            let word = format!("--{}=7", flag.name);
            assert_eq!(read(&[&word], &[]).expect(flag.name).get(flag.name), "7");
            assert_eq!(
                read(&[], &[(&flag.variable(), "7")]).expect(flag.name).get(flag.name),
                "7"
            );
        }
    }

    #[test]
    fn what_safety_hangs_on_is_refused_and_not_ignored() {
        let error = read(&["--discovery=https://discovery"], &[]).expect_err("no v2 discovery");
        assert!(
            error
                .to_string()
                .contains("--discovery=https://discovery is not supported"),
            "{error}"
        );
        assert!(read(&["--discovery="], &[]).is_ok());
    }

    #[test]
    fn unknown_variables_warn_and_unknown_flags_do_not_pass() {
        let settings = read(&[], &[("ETCD_ON_K8S", "yes"), ("HOME", "/")]).expect("valid");
        assert_eq!(settings.warnings, ["unrecognized environment variable ETCD_ON_K8S"]);
        assert!(read(&["--no-such-flag"], &[]).is_err());
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = FLAGS.iter().map(|flag| flag.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FLAGS.len());
    }
}
