//! The configuration file: where it is looked for, and what it gives.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::options::{Opt, OptKind};
use super::sources::{Origin, Sources, split_list};

/// Extensions that are looked for, in this order.
const EXTENSIONS: [&str; 4] = ["json", "toml", "yaml", "yml"];

/// Keys that Dkron knows in a file alone; their functions are the engine's own business here.
const KEYS_WITHOUT_OPTION: [&str; 3] = ["bootstrap", "devmode", "reconcileinterval"];

/// Options stand in two levels; this leaves room for any indentation.
const YAML_COLUMNS_MAX: usize = 200;

/// Adds what the configuration file gives: the named one, or the first that is found in
/// `directories`.
///
/// # Errors
///
/// If the file cannot be read, or is not what its extension says. That there is none is no error,
/// unless it was named.
pub(super) fn add(
    sources: &mut Sources,
    named: Option<&Path>,
    directories: &[PathBuf],
) -> Result<(), String> {
    let Some(path) = named.map(Path::to_owned).or_else(|| find(directories)) else {
        return Ok(());
    };
    let failed = |fault| format!("read {}: {fault}", path.display());
    let text = std::fs::read_to_string(&path).map_err(|error| failed(error.to_string()))?;
    for (key, value) in parse(&path, &text).map_err(failed)? {
        let place = Place { path: &path, line: line_of(&key, &text) };
        take(sources, &place, &key, &value)?;
    }
    sources.file = Some(path);
    Ok(())
}

/// Returns the directories that are searched, given the home directory.
pub(super) fn directories(home: Option<&Path>) -> Vec<PathBuf> {
    let home = home.map(|home| home.join(".dkron"));
    let fixed = [Some(PathBuf::from("/etc/dkron")), home, Some(PathBuf::from("config"))];
    fixed.into_iter().flatten().collect()
}

fn find(directories: &[PathBuf]) -> Option<PathBuf> {
    directories
        .iter()
        .flat_map(|directory| {
            EXTENSIONS.map(|extension| directory.join(format!("dkron.{extension}")))
        })
        .find(|path| path.is_file())
}

/// Where in the file a key stands.
struct Place<'a> {
    path: &'a Path,
    /// Counted from 1.
    line: Option<usize>,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        self.line.map_or(Ok(()), |line| write!(f, " line {line}"))
    }
}

/// Returns the first line on which a key is given a value, by its looks: the parsers do not tell.
fn line_of(key: &str, text: &str) -> Option<usize> {
    let begins_with_key = |line: &str| {
        let line = line.trim_start_matches([' ', '\t', '{', ',']);
        let line = line.strip_prefix(['"', '\'']).unwrap_or(line);
        let rest = line.get(..key.len()).filter(|head| head.eq_ignore_ascii_case(key));
        let rest = rest.and_then(|_| line.get(key.len()..)).unwrap_or_default();
        rest.trim_start_matches(['"', '\'']).trim_start().starts_with([':', '='])
            || line.eq_ignore_ascii_case(&format!("[{key}]"))
    };
    text.lines().position(begins_with_key).map(|line| line + 1)
}

fn parse(path: &Path, text: &str) -> Result<BTreeMap<String, Value>, String> {
    let format = match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => config::FileFormat::Json,
        Some("toml") => config::FileFormat::Toml,
        Some("yaml" | "yml") => config::FileFormat::Yaml,
        _ => return Err("the name must end in .toml, .yaml, .yml or .json".to_owned()),
    };
    if format == config::FileFormat::Yaml && text.lines().any(is_deep) {
        return Err(format!("it nests deeper than {YAML_COLUMNS_MAX} columns"));
    }
    let source = config::File::from_str(text, format);
    let parsed = config::Config::builder().add_source(source).build();
    parsed.and_then(config::Config::try_deserialize).map_err(|error| error.to_string())
}

/// Returns whether what a line of YAML says begins behind more columns than any option needs.
///
/// Each level begins further to the right than the one around it, and the parser keeps a frame on
/// its stack for each. (Levels in brackets it bounds itself.)
fn is_deep(line: &str) -> bool {
    let begins = line.find(|c: char| !matches!(c, ' ' | '\t' | '-' | '?' | ':'));
    begins.unwrap_or(line.len()) > YAML_COLUMNS_MAX
}

/// Takes one key of the file; keys match whatever their case.
fn take(sources: &mut Sources, place: &Place<'_>, key: &str, value: &Value) -> Result<(), String> {
    let name = key.to_lowercase();
    let refused = |fault: &str| format!("{name} in {place}: {fault}");
    if name == "tags" {
        let Value::Object(tags) = value else { return Err(refused("must be a map of texts")) };
        for (tag, value) in tags {
            let value = scalar(value).ok_or_else(|| refused("must be a map of texts"))?;
            sources.file_tags.insert(tag.to_lowercase(), value);
        }
        return Ok(());
    }
    let Some(option) = Opt::find(&name).filter(|option| option.name != "config") else {
        if !KEYS_WITHOUT_OPTION.contains(&name.as_str()) {
            let meant =
                Opt::nearest(&name).map(|option| format!("; did you mean {}?", option.name));
            let meant = meant.unwrap_or_default();
            sources.remarks.push(format!("{name} in {place} is no option and ignored{meant}"));
        }
        return Ok(());
    };
    let values = match value {
        Value::Array(items) if option.kind == OptKind::List => {
            items.iter().map(scalar).collect::<Option<_>>()
        }
        value if option.kind == OptKind::List => scalar(value).map(|text| split_list(&text)),
        value => scalar(value).map(|text| vec![text]),
    };
    let values =
        values.ok_or_else(|| refused("must be a text, a number, a bool or a list of texts"))?;
    sources.add(option, values, Origin::File { path: place.path.to_owned(), line: place.line });
    Ok(())
}

/// Returns a value that is neither a list nor a map as text; nothing is the empty text.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(value) => Some(value.to_string()),
        Value::String(value) => Some(value.clone()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `text` as a file of that name in a directory that is searched.
    fn read_file(name: &str, text: &str) -> Result<Sources, String> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(name), text).unwrap();
        let mut sources = Sources::default();
        add(&mut sources, None, &[directory.path().to_owned()])?;
        Ok(sources)
    }

    #[test]
    fn the_three_formats_give_the_same() {
        for (name, text) in [
            (
                "dkron.yml",
                "server: true\nbootstrap-expect: 1\nTag:\n  - a=b\n  - c=d\ntags:\n  Role: Web\n",
            ),
            (
                "dkron.json",
                r#"{"server":true,"bootstrap-expect":1,"tag":"a=b,c=d","tags":{"role":"Web"}}"#,
            ),
            (
                "dkron.toml",
                "server = true\nbootstrap-expect = 1\ntag = ['a=b', 'c=d']\n[tags]\nrole = 'Web'\n",
            ),
        ] {
            let sources = read_file(name, text).unwrap();
            assert_eq!(sources.get("server").unwrap().values, ["true"], "{name}");
            assert_eq!(sources.get("bootstrap-expect").unwrap().values, ["1"], "{name}");
            assert_eq!(sources.get("tag").unwrap().values, ["a=b", "c=d"], "{name}");
            assert_eq!(sources.file_tags.get("role").map(String::as_str), Some("Web"), "{name}");
        }
    }

    #[test]
    fn a_broken_file_is_an_error() {
        for (name, text) in [
            ("dkron.yml", "server: [true\n"),
            ("dkron.toml", "server = \n"),
            ("dkron.json", "{\"server\":}"),
            ("dkron.yml", "tags: 12\n"),
            ("dkron.yml", "region: {a: b}\n"),
        ] {
            let error = read_file(name, text).unwrap_err();
            assert!(error.contains(name), "{error}");
        }
    }

    /// Every parser nests on the stack, and each takes a few bytes a level.
    #[test]
    fn a_file_that_nests_without_end_is_an_error() {
        for (name, text) in [
            ("dkron.yml", format!("region: {}", "[".repeat(100_000))),
            ("dkron.yml", "- ".repeat(100_000)),
            ("dkron.yml", "? ".repeat(100_000)),
            ("dkron.yml", "- !a ".repeat(100_000)),
            ("dkron.yml", "- &a ".repeat(100_000)),
            ("dkron.yml", "? - ".repeat(100_000)),
            ("dkron.yml", (0..2_000).map(|n| " ".repeat(n) + "a:\n").collect()),
            ("dkron.yml", "region:\n  - ".to_owned() + &"- ".repeat(100_000)),
            ("dkron.json", "[".repeat(100_000)),
            ("dkron.toml", format!("region = {}", "[".repeat(100_000))),
        ] {
            let error = read_file(name, &text).unwrap_err();
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn no_file_is_no_error_unless_it_was_named() {
        let empty = tempfile::tempdir().unwrap();
        let directories = [empty.path().to_owned()];
        let mut sources = Sources::default();
        assert_eq!(add(&mut sources, None, &directories), Ok(()));
        let missing = empty.path().join("mine.yml");
        assert!(add(&mut sources, Some(&missing), &directories).unwrap_err().contains("mine.yml"));
    }

    #[test]
    fn keys_that_mean_nothing_are_told() {
        let sources = read_file("dkron.yml", "regoin: x\ndevmode: true\n").unwrap();
        assert_eq!(sources.remarks.len(), 1, "{:?}", sources.remarks);
        let remark = &sources.remarks[0];
        assert!(remark.starts_with("regoin in ") && remark.contains(" line 1 "), "{remark}");
        assert!(remark.ends_with("; did you mean region?"), "{remark}");
    }

    #[test]
    fn a_fault_names_line_and_key() {
        let check = |name: &str, text: &str, wanted: &[&str]| {
            let error = read_file(name, text).unwrap_err();
            assert!(wanted.iter().all(|wanted| error.contains(wanted)), "{text:?}: {error}");
        };
        check("dkron.yml", "server: true\nregion: {a: b}\n", &["region in ", " line 2: "]);
        check("dkron.toml", "server = true\n\n[region]\na = 1\n", &["region in ", " line 3: "]);
        check("dkron.json", "{\n  \"tags\": 12\n}", &["tags in ", " line 2: "]);
        check("dkron.yml", "server: true\nregion: [a\n", &["dkron.yml", "line"]);
        check("dkron.toml", "server = true\nregion = \n", &["dkron.toml", "line 2"]);
        check("dkron.json", "{\n\"server\":}", &["dkron.json", "line 2"]);
        let sources = read_file("dkron.yml", "# rpc-port: 1\n\nRPC-Port: 7\n").unwrap();
        assert!(sources.get("rpc-port").unwrap().to_string().ends_with("dkron.yml line 3"));
    }
}
