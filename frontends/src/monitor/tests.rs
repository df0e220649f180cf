//! Commands against the toy machine, and a monitor on a pipe.

use super::*;
use crate::chardev::hub::Hub;
use crate::mock::{DATA, Mock, RAM};
use lyrebird_machine::control::Status;
use std::io::Read;

fn ask(session: &mut Session, line: &str) -> String {
    let answer = commands::execute(session, line);
    commands::resume(session).unwrap_or(answer)
}

fn session() -> (Arc<Mock>, Session) {
    let mock = Mock::new();
    (mock.clone(), Session::new(mock))
}

#[test]
fn memory_in_every_form() {
    let (_, mut s) = session();
    assert_eq!(ask(&mut s, "x /2xw 0x40000000"), "0000000040000000: 0x91000400 0xf9000020\n");
    assert_eq!(
        ask(&mut s, "x/2i $pc"),
        "0x40000000:  91000400  add x0, x0, #1\n0x40000004:  f9000020  .inst 0xf9000020\n"
    );
    // The letters stay, the count does not.
    assert_eq!(ask(&mut s, "xp 0x40000100"), "0x40000100:  d503201f  nop\n");
    assert_eq!(ask(&mut s, "x/1xg $pc"), "0000000040000000: 0xf900002091000400\n");
    s.control
        .write_memory(lyrebird_machine::control::AddressSpace::Physical, DATA, b"lyre\n\0bird\0")
        .expect("RAM");
    assert_eq!(ask(&mut s, "x/2s 0x40001000"), "0000000040001000: \"lyre\\n\"\n0000000040001006: \"bird\"\n");
    assert_eq!(ask(&mut s, "x/4c 0x40001000"), "0000000040001000: 'l' 'y' 'r' 'e'\n");
    // What lies before the end of memory is shown.
    let end = ask(&mut s, "x/4xw 0x4000fff8");
    assert_eq!(end, "000000004000fff8: 0x00000000 0x00000000\ncannot access memory at address 0x40010000\n");
    assert_eq!(ask(&mut s, "x 0"), "cannot access memory at address 0x0\n");
}

#[test]
fn stepping_and_breakpoints() {
    let (mock, mut s) = session();
    assert_eq!(ask(&mut s, "step"), "0x40000004:  f9000020  .inst 0xf9000020\n");
    assert_eq!(ask(&mut s, "print $x0"), "0x1\n");
    assert_eq!(ask(&mut s, "watch 0x40001000 8 w"), "1 at 0x40001000\n");
    assert!(ask(&mut s, "info breakpoints").contains("Write at 0x40001000, 8 bytes"));
    assert!(ask(&mut s, "step 2").starts_with("0x4000000c:"));
    assert_eq!(ask(&mut s, "delete 1"), "");
    assert!(ask(&mut s, "delete 1").contains("there is no breakpoint 1"));
    assert_eq!(ask(&mut s, "break 0x4000000c"), "2 at 0x4000000c\n");
    assert!(ask(&mut s, "info breakpoints").contains("Execute at 0x4000000c"));
    let events = mock.subscribe();
    ask(&mut s, "cont");
    let stop = lyrebird_machine::control::wait_for_stop(&events, Duration::from_secs(10)).expect("a stop");
    assert!(matches!(stop, Event::Stopped { reason: StopReason::Breakpoint { .. }, .. }));
    assert_eq!(ask(&mut s, "print/x $pc - 0xc"), "0x40000000\n");
}

#[test]
fn reports() {
    let (_, mut s) = session();
    let registers = ask(&mut s, "info registers");
    assert!(registers.contains("CPU#0\n") && registers.contains("PC=0000000040000000"), "{registers}");
    assert!(ask(&mut s, "info registers fpu").contains("V31=00000000000000000000000000000000"));
    assert!(ask(&mut s, "info registers -a system").matches("TTBR0_EL1=0000000040000000").count() == 2);
    assert!(ask(&mut s, "info registers nope").contains("there are core, fpu, system and all"));
    assert_eq!(ask(&mut s, "info status"), "VM status: paused (prelaunch)\n");
    assert!(ask(&mut s, "info mtree").contains("ram"));
    assert!(ask(&mut s, "info tlb").contains("not supported"));
    assert!(ask(&mut s, "info cpus").starts_with("* CPU #0: toy pc=0x0000000040000000\n"));
    assert_eq!(ask(&mut s, "cpu 1"), "");
    assert!(ask(&mut s, "info cpus").contains("* CPU #1"));
    assert!(ask(&mut s, "cpu 2").contains("there is no CPU 2"));
    assert_eq!(ask(&mut s, "gva2gpa 0x40000010"), "gpa: 0x40000010\n  MMU off\n");
    assert!(ask(&mut s, "log in_asm,foo").contains("no such item"));
    assert_eq!(ask(&mut s, "log int"), "");
    assert!(ask(&mut s, "log").contains("on now: int\n"));
}

#[test]
fn every_command_has_help_and_mistakes_are_answered() {
    let (_, mut s) = session();
    let list = ask(&mut s, "help");
    for command in commands::COMMANDS {
        let name = command.names[0];
        assert!(list.contains(name), "help lacks {name}");
        assert!(ask(&mut s, &format!("help {name}")).contains(command.help) || name == "info");
    }
    let page = include_str!("../../../docs/command-line.md");
    for command in commands::COMMANDS.iter().filter(|c| !["help", "info"].contains(&c.names[0])) {
        assert!(page.contains(command.names[0]), "docs/command-line.md lacks {}", command.names[0]);
    }
    for subject in info::SUBJECTS {
        assert!(page.contains(subject.name), "docs/command-line.md lacks info {}", subject.name);
        assert!(ask(&mut s, "info").contains(subject.name));
    }
    assert!(ask(&mut s, "sytem_reset").contains("did you mean 'system_reset'?"));
    assert!(ask(&mut s, "info regsters").contains("did you mean 'registers'?"));
    for bad in [
        "x",
        "x /",
        "x/99999999x 0",
        "x /q 1",
        "print",
        "step x",
        "cpu",
        "delete",
        "watch",
        "break $nope",
        "gva2gpa é",
    ] {
        assert!(!ask(&mut s, bad).is_empty(), "{bad}");
    }
}

#[test]
fn machine_verbs_arrive() {
    let (mock, mut s) = session();
    // The guest waits for the prompt, so that it does not write into it.
    commands::execute(&mut s, "cont");
    assert_eq!(mock.status(), Status::Prelaunch);
    for line in ["system_reset", "system_powerdown", "cont", "stop"] {
        assert_eq!(ask(&mut s, line), "");
    }
    assert_eq!(mock.status(), Status::Paused(StopReason::Requested));
    ask(&mut s, "q");
    assert_eq!(mock.asked(), ["reset", "powerdown", "quit"]);
    assert!(ask(&mut s, "cont").contains("at its end"));
}

#[test]
fn a_monitor_on_a_line_greets_echoes_and_tells_of_its_breakpoints() {
    let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
    let hub = Hub::new("t", false, Some(Arc::new(std::fs::File::from(writer)))).expect("starts");
    let mock = Mock::new();
    start(hub.plug("monitor"), mock.clone(), false).expect("starts");
    hub.input(b"break $pc + 4\rcont\r");
    hub.feed();
    let mut out = std::fs::File::from(reader);
    let mut text = String::new();
    let mut buffer = [0; 512];
    while !text.contains("stopped: breakpoint at 0x40000004") {
        let count = out.read(&mut buffer).expect("output");
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    assert!(text.starts_with("Lyrebird "), "{text}");
    assert!(text.contains("(lyrebird) break $pc + 4\r\n1 at 0x40000004\r\n(lyrebird) "), "{text}");
    assert_eq!(
        mock.read_group(lyrebird_machine::control::CpuId(0), 0).expect("core")[32],
        u128::from(RAM + 4)
    );
}
