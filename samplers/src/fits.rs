//! Checks that a saved state fits the sampler that is to be restored from it.
use crate::error::SamplerError;
use crate::setup::Plan;
use crate::state::{ColumnState, SamplerState};
use rlcore::LeafSpec;
use rlcore::block::Part;
use rlcore::traj::Trackers;

impl Plan {
    /// Returns an error that names the first difference if `saved` is the state of another number of environments, or of columns with
    /// other observations, actions, recurrent states or episode fields. Nothing is restored before all columns are known to fit.
    pub(crate) fn check_state(&self, saved: &SamplerState) -> Result<(), SamplerError> {
        let (found, b) = (saved.columns.len(), self.setup.config.b);
        if found != b {
            let text = format!("{found} environments were saved, sampler.b = {b}");
            return Err(SamplerError::State(text));
        }
        let widths = |leaves: &[LeafSpec]| -> Vec<usize> {
            leaves.iter().map(LeafSpec::cell_bytes).collect()
        };
        let layout = &self.layout;
        let observation = widths(&layout.part(Part::Observation).leaves);
        let action = widths(&layout.part(Part::PrevAction).leaves);
        let state = widths(&self.schema.state);
        let tracker = Trackers::new(1, self.setup.discount, &self.spaces);
        for (column, ColumnState { env, act }) in saved.columns.iter().enumerate() {
            let rank = self.setup.first_rank() + column;
            for (what, saved, now) in [
                ("observation", &env.observation, &observation),
                ("previous action", &env.prev_action, &action),
                ("recurrent state", &act.state, &state),
            ] {
                let saved: Vec<usize> = saved.iter().map(Vec::len).collect();
                if saved != *now {
                    return Err(SamplerError::State(format!(
                        "the {what} of environment {rank} was saved as leaves of {saved:?} bytes, now they have {now:?}: resume with the environment and model of the run"
                    )));
                }
            }
            if !env.tracker.is_column_of(&tracker) {
                return Err(SamplerError::State(format!(
                    "the episode of environment {rank} was saved with other fields than the environment has now: resume with the environment of the run"
                )));
            }
        }
        Ok(())
    }
}
