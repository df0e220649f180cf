//! `-d -D -dfilter -gdb -s -semihosting`.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use lyrebird_machine::config::{DebugItems, GdbListen};

use super::{Invocation, Stop, name_list};
use crate::cli::args::MachineArgs;
use crate::cli::keyval::KeyVals;
use crate::cli::number::parse_u64;
use crate::exit::Failure;
use crate::suggest::hint;

/// Reads them all.
pub fn read(args: &MachineArgs, out: &mut Invocation) -> Result<(), Stop> {
    for text in &args.debug_items {
        if text.split(',').any(|item| item == "help" || item == "?") {
            let rows =
                DebugItems::TABLE.iter().map(|i| (i.0, i.2)).chain([("all", "all of these but nochain")]);
            return Err(Stop::Help(name_list("Debug log items (-d)", rows)));
        }
        out.config.debug.items |= items("-d", text)?;
    }
    out.config.debug.file = args.debug_file.clone();
    for text in &args.dfilter {
        for range in text.split(',') {
            let parsed = parse_range(range).ok_or_else(|| {
                Failure::usage(format!(
                    "-dfilter {range}: bad range; use FIRST..LAST, ADDRESS+LENGTH or ADDRESS-LENGTH, \
                     for example 0x40080000..0x40081000"
                ))
            })?;
            out.config.debug.ranges.push(parsed);
        }
    }
    if args.gdb_default {
        out.gdb = Some(GdbListen::Tcp(SocketAddr::from(([127, 0, 0, 1], 1234))));
    }
    if let Some(text) = &args.gdb {
        out.gdb = gdb(text)?;
    }
    semihosting(args, out)
}

/// Debug items from a list like `int,mmu`; `who` begins the error.
pub fn items(who: &str, text: &str) -> Result<DebugItems, Failure> {
    let mut set = DebugItems::empty();
    for item in text.split(',') {
        // QEMU's name for its intermediate representation.
        let item = if item == "op" { "ir" } else { item };
        if item == "all" {
            set |= DebugItems::all() - DebugItems::NOCHAIN;
        } else if let Some((_, flag, _)) = DebugItems::TABLE.iter().find(|i| i.0 == item) {
            set |= *flag;
        } else if item != "none" {
            let names: Vec<&str> = DebugItems::TABLE.iter().map(|i| i.0).collect();
            return Err(Failure::usage(format!(
                "{who} {item}: no such item{}\nvalid here: {}, all",
                hint(item, names.iter().copied()),
                names.join(", ")
            )));
        }
    }
    Ok(set)
}

/// An inclusive range.
fn parse_range(text: &str) -> Option<(u64, u64)> {
    if let Some((first, last)) = text.split_once("..") {
        let (first, last) = (parse_u64(first)?, parse_u64(last)?);
        return (first <= last).then_some((first, last));
    }
    if let Some((first, len)) = text.split_once('+') {
        let (first, len) = (parse_u64(first)?, parse_u64(len)?);
        return Some((first, first.checked_add(len.checked_sub(1)?)?));
    }
    let (end, len) = text.split_once('-')?;
    let (end, len) = (parse_u64(end)?, parse_u64(len)?);
    Some((end.checked_sub(len.checked_sub(1)?)?, end))
}

/// `tcp:[host]:port`, `unix:path`, `none`, or a bare port.
pub fn gdb(text: &str) -> Result<Option<GdbListen>, Failure> {
    let bad = |why: &str| {
        Failure::usage(format!("-gdb {text}: {why}; use tcp::1234, tcp:HOST:PORT, unix:PATH or none"))
    };
    // Options such as `server=on,wait=off` are what a GDB server does anyway.
    let peer = text.split(',').next().unwrap_or_default();
    if peer == "none" {
        return Ok(None);
    }
    if let Some(path) = peer.strip_prefix("unix:") {
        return if path.is_empty() {
            Err(bad("a path is missing"))
        } else {
            Ok(Some(GdbListen::Unix(PathBuf::from(path))))
        };
    }
    let peer = match peer.strip_prefix("tcp:") {
        Some(rest) => rest.to_owned(),
        None if peer.bytes().all(|b| b.is_ascii_digit()) => format!(":{peer}"),
        None => return Err(bad("unknown kind of address")),
    };
    let (host, port) = peer.rsplit_once(':').ok_or_else(|| bad("a port is missing"))?;
    let port: u16 = port.parse().map_err(|_| bad("bad port"))?;
    // A debugger may read and write everything: without a host, only this one may connect.
    let host = if host.is_empty() { "127.0.0.1" } else { host.trim_matches(['[', ']']) };
    let address = (host, port).to_socket_addrs().ok().and_then(|mut list| list.next());
    address.map(|a| Some(GdbListen::Tcp(a))).ok_or_else(|| bad("unknown host"))
}

fn semihosting(args: &MachineArgs, out: &mut Invocation) -> Result<(), Stop> {
    let s = &mut out.config.semihosting;
    s.enabled |= args.semihosting;
    for text in &args.semihosting_config {
        let mut kv = KeyVals::parse("semihosting-config", text, Some("enable"))?;
        s.enabled = kv.take_bool("enable")?.unwrap_or(true);
        s.userspace = kv.take_bool("userspace")?.unwrap_or(s.userspace);
        kv.take_enum("target", &[("auto", ()), ("native", ())])?;
        s.chardev = kv.take("chardev").or(s.chardev.take());
        s.args.extend(args_of(text));
        let _ = kv.take("arg");
        kv.finish()?;
    }
    Ok(())
}

/// All `arg=` of the option: the one key that may be given many times.
fn args_of(text: &str) -> Vec<String> {
    KeyVals::parse("semihosting-config", text, Some("enable"))
        .map(|mut kv| kv.take_rest().into_iter().filter(|(k, _)| k == "arg").map(|(_, v)| v).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_three_forms() {
        assert_eq!(parse_range("0x1000..0x1fff"), Some((0x1000, 0x1fff)));
        assert_eq!(parse_range("0x1000+0x1000"), Some((0x1000, 0x1fff)));
        assert_eq!(parse_range("0x1fff-0x1000"), Some((0x1000, 0x1fff)));
        for bad in ["", "1", "2..1", "1+0", "0xffffffffffffffff+2", "1-3", "a..b"] {
            assert_eq!(parse_range(bad), None, "{bad}");
        }
    }

    #[test]
    fn gdb_addresses() {
        let tcp = |text: &str| gdb(text).map_err(|e| e.message);
        assert_eq!(tcp("tcp::1234"), Ok(Some(GdbListen::Tcp(([127, 0, 0, 1], 1234).into()))));
        assert_eq!(tcp("tcp:127.0.0.1:99,server=on"), Ok(Some(GdbListen::Tcp(([127, 0, 0, 1], 99).into()))));
        assert_eq!(tcp("unix:/tmp/x"), Ok(Some(GdbListen::Unix("/tmp/x".into()))));
        assert_eq!(tcp("none"), Ok(None));
        for bad in ["tcp::", "tcp::99999", "unix:", "udp::1", "stdio"] {
            assert!(gdb(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn unknown_items_are_named() {
        let error = items("-d", "int,in_ams").expect_err("no such item");
        assert!(error.message.starts_with("-d in_ams: no such item; did you mean 'in_asm'?"), "{error}");
        assert_eq!(items("-d", "op,int").map_err(|e| e.message), Ok(DebugItems::IR | DebugItems::INT));
    }
}
