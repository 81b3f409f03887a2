//! A long short-term memory (Hochreiter and Schmidhuber 1997, with forget gates), equal to PyTorch's cell.
//!
//! Not libtorch's LSTM, because the state is zeroed between rows of one call, where episodes end. Weights have the layout and names of
//! `torch.nn.LSTMCell`: gates in the order input, forget, cell, output.
use super::linear::Start;
use crate::params::{Init, ParamBuilder, ParamId, Params, dim};
use tch::Tensor;

/// Values that [`Lstm::forward`] keeps for its backward pass per row and unit, apart from the gates: the inputs' share of the gates,
/// the parts of the gates, the state before and after, products.
const KEPT: usize = 8;

/// See the module documentation.
#[derive(Clone, Copy, Debug)]
pub struct Lstm {
    weight_ih: ParamId,
    weight_hh: ParamId,
    bias_ih: ParamId,
    bias_hh: ParamId,
    hidden: i64,
}

impl Lstm {
    /// Declares `name.{weight_ih, weight_hh, bias_ih, bias_hh}`, all uniform within `1/sqrt(hidden)`, or orthogonal with gain 1.
    pub fn new(
        b: &mut ParamBuilder,
        name: &str,
        inputs: usize,
        hidden: usize,
        start: Start,
    ) -> Self {
        let (weight, bias): (Init, Init) = start.of(hidden, 1.0);
        b.puts_out(hidden.saturating_mul(4));
        b.keeps(hidden.saturating_mul(KEPT));
        let (inputs, gates, hidden) = (dim(inputs), dim(hidden.saturating_mul(4)), dim(hidden));
        b.within(name, |b| Self {
            weight_ih: b.add("weight_ih", &[gates, inputs], weight),
            weight_hh: b.add("weight_hh", &[gates, hidden], weight),
            bias_ih: b.add("bias_ih", &[gates], bias),
            bias_hh: b.add("bias_hh", &[gates], bias),
            hidden,
        })
    }

    /// `x: [T, N, inputs]` from `(h, c)`, `[N, hidden]` each; `reset: [T, N] f32` is 1 where both are zeroed before that row.
    /// Returns the outputs `[T * N, hidden]` and `(h, c)` after the last row.
    pub fn forward(
        &self,
        p: &Params,
        x: &Tensor,
        state: (&Tensor, &Tensor),
        reset: Option<&Tensor>,
    ) -> (Tensor, Tensor, Tensor) {
        let (rows, columns, inputs) = x.size3().expect("an LSTM's input is [T, N, inputs]");
        let across = |plus: &Tensor, x: &Tensor, weight: ParamId| match p.transposed(weight) {
            Some(transposed) => plus.addmm(x, transposed),
            None => plus.addmm(x, &p.get(weight).tr()),
        };
        // The inputs of all rows at once; only the state is computed row by row.
        let bias = p.get(self.bias_ih) + p.get(self.bias_hh);
        let from_x = across(&bias, &x.reshape([rows * columns, inputs]), self.weight_ih);
        let keep = reset.map(|r| (1f64 - r).unsqueeze(-1));
        let (mut h, mut c) = (state.0.shallow_clone(), state.1.shallow_clone());
        let mut outputs = Vec::with_capacity(rows as usize);
        for t in 0..rows {
            if let Some(keep) = &keep {
                let keep = keep.get(t);
                h = &h * &keep;
                c = &c * &keep;
            }
            let gates = across(&from_x.narrow(0, t * columns, columns), &h, self.weight_hh);
            let gate = |i: i64, n: i64| gates.narrow(1, i * self.hidden, n * self.hidden);
            let open = gate(0, 2).sigmoid();
            let (input, forget) =
                (open.narrow(1, 0, self.hidden), open.narrow(1, self.hidden, self.hidden));
            c = (forget * c).g_add_(&(input * gate(2, 1).tanh()));
            h = gate(3, 1).sigmoid() * c.tanh();
            outputs.push(h.shallow_clone());
        }
        let outputs = if rows == 1 { h.shallow_clone() } else { Tensor::cat(&outputs, 0) };
        (outputs, h, c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Grad;
    use tch::{Device, Kind};

    const F32: (Kind, Device) = (Kind::Float, Device::Cpu);

    fn wave(size: &[i64], phase: f64) -> Tensor {
        let n: i64 = size.iter().product();
        (Tensor::arange(n, F32) * 0.7 + phase).sin().reshape(size)
    }

    fn error(a: &Tensor, b: &Tensor) -> f64 {
        (a - b).abs().max().double_value(&[])
    }

    #[test]
    fn agrees_with_libtorch_forward_and_backward() {
        let mut b = ParamBuilder::default();
        let lstm = Lstm::new(&mut b, "lstm", 3, 5, Start::Torch);
        let p = Params::init(&b.finish().unwrap(), 7, Device::Cpu, Grad::On).unwrap();
        let (x, h, c) = (wave(&[6, 4, 3], 0.1), wave(&[4, 5], 0.2), wave(&[4, 5], 0.3));
        let weights =
            [lstm.weight_ih, lstm.weight_hh, lstm.bias_ih, lstm.bias_hh].map(|id| p.get(id));
        let first = [&h.unsqueeze(0), &c.unsqueeze(0)];
        let (want, want_h, want_c) = x.lstm(&first, &weights, true, 1, 0.0, true, false, false);
        let (got, got_h, got_c) = lstm.forward(&p, &x, (&h, &c), None);
        assert!(error(&got.reshape([6, 4, 5]), &want) < 1e-6);
        assert!(error(&got_h, &want_h.get(0)) < 1e-6 && error(&got_c, &want_c.get(0)) < 1e-6);
        let ours = p.gradient(&got.square().sum(Kind::Float)).unwrap();
        let theirs = p.gradient(&want.square().sum(Kind::Float)).unwrap();
        assert!(error(&ours, &theirs) < 1e-5, "{}", error(&ours, &theirs));
    }

    #[test]
    fn a_reset_starts_from_zero_memory_in_its_column_alone() {
        let mut b = ParamBuilder::default();
        let lstm = Lstm::new(&mut b, "lstm", 3, 5, Start::Orthogonal);
        let p = Params::init(&b.finish().unwrap(), 7, Device::Cpu, Grad::Off).unwrap();
        let (x, h, c) = (wave(&[4, 2, 3], 0.1), wave(&[2, 5], 0.2), wave(&[2, 5], 0.3));
        let reset = Tensor::from_slice(&[0f32, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]).reshape([4, 2]);
        let (_, got_h, got_c) = lstm.forward(&p, &x, (&h, &c), Some(&reset));
        let (_, whole, _) = lstm.forward(&p, &x, (&h, &c), None);
        let zero = Tensor::zeros([2, 5], F32);
        let (_, late_h, late_c) = lstm.forward(&p, &x.narrow(0, 2, 2), (&zero, &zero), None);
        assert!(error(&got_h.get(0), &whole.get(0)) < 1e-6);
        assert!(error(&got_h.get(1), &late_h.get(1)) < 1e-6);
        assert!(error(&got_c.get(1), &late_c.get(1)) < 1e-6);
    }
}
