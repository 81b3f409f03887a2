//! An agent that fails in a given way, at a given call.
use crate::faulty::TEXT;
use crate::policies::{SliceAgent, SlicePolicy};
use crate::program::{children, stat, until};
use agents::{ActIo, Agent, AgentContext, AgentError, MakeAgent, Phase, Seen};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rlcore::block::AgentSchema;
use rlcore::forkserver;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The way in which an agent fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentFault {
    /// Returns an error.
    Error,
    /// Panics.
    Panic,
    /// Asks libtorch for more memory than there is: a C++ exception, of which tch makes a panic with a C++ backtrace.
    Exception,
    /// Never returns.
    Stall,
    /// No fault: every call up to that one takes this many milliseconds.
    Slow(u64),
    /// Kills the worker of this index, a child of this process's fork server, and goes on.
    KillWorker(usize),
}

/// Which call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentCall {
    /// `act` in training.
    Act,
    /// `act` in evaluation.
    Evaluate,
    /// `value`.
    Value,
}

/// Settings of [`FaultyAgent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultyPolicy {
    /// The fault.
    pub fault: AgentFault,
    /// The call that fails.
    pub call: AgentCall,
    /// Number of successful calls of that kind before it.
    pub at: usize,
}

/// A [`SliceAgent`] that fails.
#[derive(Debug)]
pub struct FaultyAgent {
    settings: FaultyPolicy,
    agent: SliceAgent,
    calls: usize,
}

impl MakeAgent for FaultyPolicy {
    type Agent = FaultyAgent;

    fn make(&self, context: &AgentContext) -> Result<FaultyAgent, AgentError> {
        let agent = SlicePolicy::default().make(context)?;
        Ok(FaultyAgent { settings: *self, agent, calls: 0 })
    }
}

/// Raises a C++ exception in libtorch.
pub fn exception() {
    let _ = tch::Tensor::zeros([1 << 60], (tch::Kind::Float, tch::Device::Cpu));
}

impl FaultyAgent {
    fn suffer(&mut self, call: AgentCall) -> Result<(), AgentError> {
        if call != self.settings.call {
            return Ok(());
        }
        let FaultyPolicy { fault, at, .. } = self.settings;
        let (now, before) = (self.calls == at, self.calls < at);
        self.calls += 1;
        match fault {
            AgentFault::Slow(milliseconds) if before => {
                std::thread::sleep(Duration::from_millis(milliseconds));
                Ok(())
            }
            AgentFault::Error if now => Err(AgentError::new(TEXT)),
            AgentFault::Panic if now => panic!("{TEXT}"),
            AgentFault::Exception if now => {
                exception();
                Ok(())
            }
            AgentFault::Stall if now => loop {
                std::thread::sleep(Duration::from_secs(3600));
            },
            AgentFault::KillWorker(which) if now => {
                let server = forkserver::server().map_err(|e| AgentError::new(e.to_string()))?;
                let victim = children(server.pid())[which];
                kill(Pid::from_raw(victim), Signal::SIGKILL)
                    .map_err(|e| AgentError::new(e.desc()))?;
                until("its end", || stat(victim).is_none_or(|(state, _)| state == 'Z'));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Agent for FaultyAgent {
    fn schema(&self) -> AgentSchema {
        self.agent.schema()
    }

    fn act(&mut self, io: &mut ActIo<'_>, phase: Phase) -> Result<(), AgentError> {
        self.suffer(match phase {
            Phase::Sample { .. } => AgentCall::Act,
            Phase::Evaluate { .. } => AgentCall::Evaluate,
        })?;
        self.agent.act(io, phase)
    }

    fn value(&mut self, seen: &Seen<'_>, out: &mut [f32]) -> Result<(), AgentError> {
        self.suffer(AgentCall::Value)?;
        self.agent.value(seen, out)
    }
}
