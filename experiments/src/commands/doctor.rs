//! `experiments doctor`: is this machine fit, and if not, what is missing.
use anyhow::Result;
use rlcore::channel::Channel;
use rlcore::control::{Op, Task, WorkerControl};
use rlcore::forkserver::{self, Surroundings};
use rlcore::gate::Gate;
use rlcore::patience::Patience;
use rlcore::segment::Segment;
use rlcore::{GlobalSteps, affinity, memory, run_dir::Machine};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(5);
const ROUNDS: u32 = 2000;
const LEAST_MEMORY: u64 = 1 << 30;

pub(super) fn run() -> i32 {
    let machine = Machine::this();
    let mut bad = 0;
    let mut say = |name: &str, ok: bool, text: String| {
        bad += i32::from(!ok);
        crate::say!("{} {name:<12}{text}", if ok { "ok  " } else { "FAIL" });
    };
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let loaded = |part: &str| -> Vec<&str> {
        let mut paths: Vec<&str> = maps
            .lines()
            .filter_map(|l| l.split_whitespace().nth(5))
            .filter(|p| p.contains(part))
            .collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    };
    let torch = loaded("libtorch_cpu");
    let version = torch.first().and_then(|p| {
        let dir = Path::new(p).parent()?.parent()?;
        let text = std::fs::read_to_string(dir.join("version.py")).ok()?;
        text.lines().find(|l| l.starts_with("__version__"))?.split('\'').nth(1).map(str::to_owned)
    });
    let sum = tch::Tensor::from_slice(&[1f32, 2.0]).sum(tch::Kind::Float).double_value(&[]);
    let text = match &torch[..] {
        // The part behind the `+` of a version names a CUDA even where its libraries were left out.
        [path] => format!(
            "{}, {} build, at {path}",
            version.as_deref().and_then(|v| v.split('+').next()).unwrap_or("of unknown version"),
            if Path::new(path).with_file_name("libtorch_cuda.so").exists() {
                "CUDA"
            } else {
                "CPU"
            },
        ),
        many => format!("{} copies are loaded, there must be one: {}", many.len(), many.join(" ")),
    };
    say("libtorch", sum == 3.0 && torch.len() == 1, text);
    let gomp = loaded("libgomp");
    let text = match &gomp[..] {
        [] | [_] => format!("{} copy loaded", gomp.len()),
        many => format!("{} copies are loaded, which is slow: {}", many.len(), many.join(" ")),
    };
    say("OpenMP", gomp.len() <= 1, text);
    say(
        "cpu",
        true,
        format!(
            "{}, {} of {} CPUs allowed",
            machine.cpu,
            affinity::allowed_cpus().len(),
            machine.cpus
        ),
    );
    say(
        "threads",
        true,
        format!(
            "{} by default in libtorch; a learner uses runner.threads, a worker 1",
            tch::get_num_threads()
        ),
    );
    let free = memory::available();
    say(
        "memory",
        free > LEAST_MEMORY,
        format!(
            "{} free of {}{}",
            memory::readable(free),
            memory::readable(machine.memory),
            if free > LEAST_MEMORY { "" } else { ": too little for a run; close other programs" }
        ),
    );
    match wake_word() {
        Ok((spin, start)) => say(
            "workers",
            true,
            format!("one started in {start:.1} ms; order and answer take {spin:.2} us"),
        ),
        Err(e) => say("workers", false, format!("{e:#}")),
    }
    let cuda = tch::Cuda::device_count();
    let text = if cuda > 0 {
        format!("{cuda} devices (train with --device cuda)")
    } else {
        "no device that this libtorch can use; with a GPU, `make setup CUDA=1` and build again"
            .into()
    };
    say("CUDA", true, text);
    match bad {
        0 => crate::say!("\nEverything that a run needs is here."),
        1 => crate::say!("\nOne check failed: see the line that begins with FAIL."),
        _ => crate::say!("\n{bad} checks failed: see the lines that begin with FAIL."),
    }
    i32::from(bad > 0)
}

const SHARED: usize = size_of::<WorkerControl>() + size_of::<Gate>();

fn words(segment: &'static Segment) -> (&'static WorkerControl, &'static Gate) {
    (&segment.atomics(0, 1)[0], &segment.atomics(size_of::<WorkerControl>(), 1)[0])
}

/// A worker that answers every post; round trip in microseconds, start in milliseconds.
fn wake_word() -> Result<(f64, f64)> {
    let segment = Segment::create("doctor", SHARED)?;
    let (control, gate) = words(segment);
    let begun = Instant::now();
    let (channel, theirs) = Channel::pair()?;
    let child = forkserver::server()?.spawn(echo, &theirs, Surroundings::default())?;
    drop(theirs);
    let fd = segment.fd().ok_or_else(|| anyhow::anyhow!("a memfd has a descriptor"))?;
    channel.send_fds(&[fd.as_raw_fd()])?;
    channel.recv::<()>(LIMIT)?;
    let start = begun.elapsed().as_secs_f64() * 1e3;
    let begun = Instant::now();
    let mut patience = Patience::default();
    for round in 0..ROUNDS {
        control.order(Task { op: Op::Collect, now: GlobalSteps(0), weights: 0, slot: 0 });
        let alive = || {
            if channel.closed() {
                Err(anyhow::anyhow!("the worker (pid {}) died", child.pid()))
            } else {
                Ok(())
            }
        };
        gate.all.wait_checked(round, &mut patience, LIMIT, alive)?;
    }
    let trip = begun.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS);
    control.quit();
    Ok((trip, start))
}

fn echo(channel: Channel) -> i32 {
    let serve = || -> Result<()> {
        let fd = channel.recv_fds(LIMIT)?.pop().ok_or_else(|| anyhow::anyhow!("no descriptor"))?;
        let (control, gate) = words(Segment::attach(fd, SHARED)?);
        channel.send(&(), LIMIT)?;
        let mut seen = 0;
        let mut patience = Patience::default();
        loop {
            let alive =
                || if channel.closed() { Err(anyhow::anyhow!("master gone")) } else { Ok(()) };
            seen = control.command.wait_checked(seen, &mut patience, LIMIT, alive)?;
            if control.ordered().op == Op::Quit {
                return Ok(());
            }
            control.arrive(gate, 1);
        }
    };
    i32::from(serve().is_err())
}
