//! Copies between host and accelerator, one copy in each direction.
//!
//! The fixed cost of a copy exceeds the cost of most leaves, so all leaves of a batch of rows are gathered in one byte buffer (pinned,
//! where the device is CUDA) and copied together; on the device they are views that were made once.
use tch::{Device, Kind, Tensor, no_grad_guard};

/// Alignment of the leaves in the buffer, bytes: enough for every element type.
const ALIGN: usize = 64;

/// Buffers for one number of rows: a byte tensor on the host and one on the device, and views of both as leaves.
#[derive(Debug)]
struct Stage {
    shapes: Vec<(Vec<i64>, Kind)>,
    host: Tensor,
    host_leaves: Vec<Tensor>,
    there: Tensor,
    leaves: Vec<Tensor>,
}

impl Stage {
    fn new(shapes: Vec<(Vec<i64>, Kind)>, device: Device) -> Self {
        let bytes = |(size, kind): &(Vec<i64>, Kind)| {
            size.iter().product::<i64>() as usize * kind.elt_size_in_bytes()
        };
        let total: usize = shapes.iter().map(|s| bytes(s).next_multiple_of(ALIGN)).sum();
        let buffer = |device| Tensor::zeros([total as i64], (Kind::Uint8, device));
        let host = match device {
            Device::Cuda(_) => buffer(Device::Cpu).pin_memory(device),
            _ => buffer(Device::Cpu),
        };
        let there = buffer(device);
        let views = |buffer: &Tensor| -> Vec<Tensor> {
            let mut offset = 0;
            let view = |shape: &(Vec<i64>, Kind)| {
                let part = buffer.narrow(0, offset as i64, bytes(shape) as i64);
                offset += bytes(shape).next_multiple_of(ALIGN);
                part.view_dtype(shape.1).view(shape.0.as_slice())
            };
            shapes.iter().map(view).collect()
        };
        let (host_leaves, leaves) = (views(&host), views(&there));
        Self { shapes, host, host_leaves, there, leaves }
    }

    fn fits(&self, tensors: &[&Tensor]) -> bool {
        self.shapes.len() == tensors.len()
            && self.shapes.iter().zip(tensors).all(|((s, k), t)| t.kind() == *k && t.size() == *s)
    }
}

/// Copies rows to a device.
#[derive(Debug)]
pub struct Staging {
    device: Device,
    stages: Vec<Stage>,
}

impl Staging {
    /// A staging without buffers: they are made when a number of rows is first seen, and kept.
    pub fn new(device: Device) -> Self {
        Self { device, stages: Vec::new() }
    }

    /// A staging for an agent's device; none for the CPU, where models read the sample block directly.
    pub fn unless_cpu(device: Device) -> Option<Self> {
        (device != Device::Cpu).then(|| Self::new(device))
    }

    /// The same values on the device, in the same order. The next call overwrites them.
    pub fn send(&mut self, tensors: &[&Tensor]) -> &[Tensor] {
        let _guard = no_grad_guard();
        let found = self.stages.iter().position(|s| s.fits(tensors));
        let at = found.unwrap_or_else(|| {
            let shapes = tensors.iter().map(|t| (t.size(), t.kind())).collect();
            self.stages.push(Stage::new(shapes, self.device));
            self.stages.len() - 1
        });
        let stage = &mut self.stages[at];
        for (to, from) in stage.host_leaves.iter_mut().zip(tensors) {
            to.copy_(from);
        }
        stage.there.copy_(&stage.host);
        &stage.leaves
    }
}

/// Copies several `f32` tensors to the CPU in one copy; each becomes one row of numbers.
pub fn bring(tensors: &[&Tensor]) -> Vec<Tensor> {
    let rows: Vec<Tensor> = tensors.iter().map(|t| t.reshape([-1])).collect();
    let all = Tensor::cat(&rows, 0).to_device(Device::Cpu);
    let mut offset = 0;
    let part = |row: &Tensor| {
        let len = row.numel() as i64;
        offset += len;
        all.narrow(0, offset - len, len)
    };
    rows.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leaf_arrives_as_it_was() {
        let mut staging = Staging::new(Device::Cpu);
        for rows in [3, 5, 3] {
            let image = Tensor::arange(rows * 7, (Kind::Uint8, Device::Cpu)).reshape([rows, 7]);
            let speed = Tensor::arange(rows * 2, (Kind::Float, Device::Cpu)).reshape([rows, 2]);
            let action = Tensor::arange(rows, (Kind::Int64, Device::Cpu)) + rows;
            let flag = image.slice(1, 0, 1, 1).gt(6);
            // A row of a wider block, so not contiguous.
            let strided = speed.slice(1, 1, 2, 1);
            let sent = [&image, &speed, &action, &flag, &strided];
            let there = staging.send(&sent);
            for (i, (a, b)) in sent.iter().zip(there).enumerate() {
                assert_eq!(**a, *b, "leaf {i} of {rows} rows");
                assert_eq!(b.data_ptr() as usize % 64, 0, "aligned");
            }
        }
        assert_eq!(staging.stages.len(), 2, "one set of buffers for each number of rows");
    }

    #[test]
    fn results_come_back_apart() {
        let (a, b) = (Tensor::arange(6, (Kind::Float, Device::Cpu)), Tensor::from(7f32));
        let back = bring(&[&a.reshape([2, 3]), &b]);
        assert_eq!((&back[0], &back[1]), (&a, &b.reshape([1])));
    }
}
