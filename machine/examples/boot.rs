//! Boots a kernel with its console on standard output: `boot KERNEL [INITRD [APPEND]]`.
use lyrebird_devices::char::{CharPort, Chardev};
use lyrebird_machine::chardev::{Backend, Chardevs};
use lyrebird_machine::config::{Config, SerialPort};
use std::io::Write;
use std::sync::Arc;

struct Out;
impl Chardev for Out {
    fn write(&self, bytes: &[u8]) -> usize {
        let _ = std::io::stdout().write_all(bytes);
        let _ = std::io::stdout().flush();
        bytes.len()
    }
}
impl Backend for Out {
    fn connect(&self, _: Arc<dyn CharPort>) {}
}
struct Lines;
impl Chardevs for Lines {
    fn plug(&self, _: &str, _: &str) -> Option<Arc<dyn Backend>> {
        Some(Arc::new(Out))
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let mut config =
        Config { ram: 1 << 30, serials: vec![SerialPort::Chardev("s".into())], ..Config::default() };
    config.boot.kernel = args.next().map(Into::into);
    config.boot.initrd = args.next().map(Into::into);
    config.boot.append = args.next();
    if let Ok(cpu) = std::env::var("CPU") {
        config.cpu.model = cpu;
    }
    if let Ok(n) = std::env::var("SMP") {
        config.smp = lyrebird_machine::config::Smp::cores(n.parse().unwrap_or(1));
    }
    let machine = match lyrebird_machine::Machine::build(config, &Lines) {
        Ok(m) => m,
        Err(e) => {
            eprintln!("{e}");
            std::process::exit(1);
        }
    };
    let control = machine.control();
    if let Ok(s) = std::env::var("PEEK") {
        let secs: u64 = s.parse().unwrap_or(5);
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(std::time::Duration::from_secs(secs));
                for c in control.cpus() {
                    eprintln!("{c:x?}");
                    let regs = control.read_group(c.id, 0).unwrap_or_default();
                    eprintln!("{regs:x?}");
                    eprintln!(
                        "{}",
                        control.report(lyrebird_machine::control::Report::Jit).unwrap_or_default()
                    );
                }
            }
        });
    }
    eprintln!("{}", machine.run());
}
