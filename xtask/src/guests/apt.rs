//! Debian's packages for one of its architectures through this machine's apt.
//!
//! apt is run with its state below `target/guests/apt` and that architecture as its own: it reads the system's sources and
//! keys, changes nothing of the system, and needs no root.

use crate::shell::Tool;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// A private view of the system's package sources.
pub struct Apt {
    /// Debian's name of the architecture.
    pub arch: &'static str,
    guests: PathBuf,
    refreshed: bool,
}

/// A package in a certain version.
pub struct Package {
    /// Name without architecture.
    pub name: String,
    /// Version, epoch and revision included.
    pub version: String,
}

/// Which of a package's versions to take.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Suite {
    /// The newest of the stable release and its updates.
    Stable,
    /// The newest of its backports.
    Backports,
}

impl Apt {
    /// For packages of `arch`. State below `guests`; the package lists are fetched when first needed, always if `refresh`.
    pub fn new(guests: PathBuf, arch: &'static str, refresh: bool) -> Result<Apt> {
        let state = guests.join("apt").join(arch);
        let stamp = state.join("stamp");
        if refresh && stamp.exists() {
            fs::remove_file(&stamp)?;
        }
        for folder in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(state.join(folder))?;
        }
        fs::create_dir_all(guests.join("cache"))?;
        Ok(Apt { arch, refreshed: stamp.exists(), guests })
    }

    /// The version of `package` that `suite` has now.
    pub fn find(&mut self, package: &str, suite: Suite) -> Result<Package> {
        self.refresh()?;
        let table = self.tool("apt-cache").args(["madison", package]).output()?;
        for line in table.lines() {
            let mut fields = line.split('|').map(str::trim);
            let (Some(name), Some(version), Some(source)) = (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let backports = source.contains("-backports");
            if name == package && backports == (suite == Suite::Backports) && !source.ends_with("Sources") {
                return Ok(Package { name: name.to_owned(), version: version.to_owned() });
            }
        }
        bail!(
            "This machine's package sources have no {}`{package}` for {}: they must be Debian's. See /etc/apt/sources.list",
            if suite == Suite::Backports { "backport of " } else { "" },
            self.arch,
        )
    }

    /// The package that the empty package `meta` stands for: its first dependency, in the version it names.
    pub fn resolve(&mut self, meta: &Package) -> Result<Package> {
        let text =
            self.tool("apt-cache").arg("show").arg(format!("{}={}", meta.name, meta.version)).output()?;
        let depends = text.lines().find_map(|line| line.strip_prefix("Depends: "));
        let first = depends.and_then(|list| list.split(',').next()).unwrap_or_default().trim();
        let (name, version) = match first.split_once(" (= ") {
            Some((name, version)) => (name, version.trim_end_matches(')')),
            None => (first, meta.version.as_str()),
        };
        if name.is_empty() {
            bail!("`{}` {} depends on nothing, so it names no kernel", meta.name, meta.version);
        }
        Ok(Package { name: name.to_owned(), version: version.to_owned() })
    }

    /// Fetches `package` into the cache, unless it is there, and unpacks it into a fresh folder.
    pub fn unpack(&mut self, package: &Package) -> Result<PathBuf> {
        let cache = self.guests.join("cache");
        // apt writes the colon of an epoch as %3a.
        let file = format!("{}_{}_{}.deb", package.name, package.version.replace(':', "%3a"), self.arch);
        if !cache.join(&file).exists() {
            self.refresh()?;
            self.tool("apt-get")
                .args(["download", &format!("{}={}", package.name, package.version)])
                .dir(cache.clone())
                .run()?;
        }
        let folder = self.guests.join("unpacked").join(&package.name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Tool::new("dpkg-deb", "dpkg").arg("-x").arg(cache.join(&file)).arg(&folder).run()?;
        Ok(folder)
    }

    /// Where the archive of Debian's current release is fetched from, and the release's name.
    pub fn archive(&self) -> Result<(String, String)> {
        let targets = targets()?;
        let main = targets.iter().find(|target| target.origin == "Debian" && !target.release.contains('-'));
        let main = main.context("This machine's apt has no Debian release among its sources")?;
        Ok((main.uri.clone(), main.release.clone()))
    }

    fn refresh(&mut self) -> Result<()> {
        if self.refreshed {
            return Ok(());
        }
        let mut list = fs::read_to_string("/etc/apt/sources.list").unwrap_or_default();
        if !targets()?.iter().any(|target| target.release.ends_with("-backports")) {
            let (uri, release) = self.archive()?;
            list.push_str(&format!("\ndeb {uri} {release}-backports main\n"));
        }
        let state = self.state();
        fs::write(state.join("sources.list"), list)?;
        match self.tool("apt-get").arg("update").run() {
            Ok(()) => fs::write(state.join("stamp"), "")?,
            // A mirror that is being filled has some lists in two versions; the others are good. Without the stamp the
            // next run asks again.
            Err(e) if self.has_lists()? => {
                eprintln!("Some {} package lists are missing, going on without them: {e:#}", self.arch);
            }
            Err(e) => return Err(e).with_context(|| format!("Cannot fetch the {} package lists", self.arch)),
        }
        self.refreshed = true;
        Ok(())
    }

    /// Whether any package list was fetched.
    fn has_lists(&self) -> Result<bool> {
        let lists = fs::read_dir(self.state().join("lists"))?;
        Ok(lists.filter_map(Result::ok).any(|e| e.file_name().to_string_lossy().contains("_Packages")))
    }

    fn state(&self) -> PathBuf {
        self.guests.join("apt").join(self.arch)
    }

    fn tool(&self, program: &'static str) -> Tool {
        let state = self.state();
        let at = |option: &str, path: &Path| format!("{option}={}", path.display());
        let options = [
            at("Dir::State", &state),
            at("Dir::State::lists", &state.join("lists")),
            "Dir::State::status=/dev/null".to_owned(),
            at("Dir::Cache", &state.join("cache")),
            at("Dir::Etc::sourcelist", &state.join("sources.list")),
            format!("APT::Architecture={}", self.arch),
            format!("APT::Architectures={}", self.arch),
            "APT::Sandbox::User=".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
        ];
        Tool::new(program, "apt").args(options.into_iter().flat_map(|option| ["-o".to_owned(), option]))
    }
}

/// A list that the system's apt is set up to fetch.
struct Target {
    uri: String,
    release: String,
    origin: String,
}

fn targets() -> Result<Vec<Target>> {
    let format = "$(CREATED_BY)|$(REPO_URI)|$(RELEASE)|$(ORIGIN)";
    let lines = Tool::new("apt-get", "apt").args(["indextargets", "--format", format]).output()?;
    let target = |line: &str| {
        let mut fields = line.split('|').map(str::to_owned);
        fields.next().filter(|kind| kind == "Packages")?;
        Some(Target { uri: fields.next()?, release: fields.next()?, origin: fields.next()? })
    };
    Ok(lines.lines().filter_map(target).collect())
}
