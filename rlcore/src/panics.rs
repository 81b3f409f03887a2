//! Messages of panics, shortened for users.

/// The text without the C++ backtrace that libtorch appends to it: everything up to the first line break, which may
/// be an escaped `\n` in `Debug` output.
pub fn without_backtrace(text: &str) -> &str {
    // A Rust panic message of several lines (`assert_eq!`) is kept.
    let marks = ["Exception raised from", "frame #0: "];
    let Some(raised) = marks.iter().filter_map(|mark| text.find(mark)).min() else { return text };
    let head = &text[..raised];
    let end = head.find('\n').into_iter().chain(head.find("\\n")).min().unwrap_or(raised);
    head[..end].trim_end()
}

/// The text of a caught panic on one line, shortened.
pub fn text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without text");
    let lines: Vec<&str> = without_backtrace(text).lines().take(3).collect();
    lines.join(" ").chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backtraces_are_cut_off_and_lines_joined() {
        let display = "[enforce fail] can't allocate 4 bytes\nException raised from alloc_cpu.cpp:127\nframe #0: c10::Error";
        assert_eq!(without_backtrace(display), "[enforce fail] can't allocate 4 bytes");
        let debug = format!("called `Result::unwrap()` on an `Err` value: Torch({display:?})");
        let short = "called `Result::unwrap()` on an `Err` value: Torch(\"[enforce fail] can't allocate 4 bytes";
        assert_eq!(without_backtrace(&debug), short);
        let frames = "no memory\nframe #0: c10::alloc_cpu(unsigned long)";
        assert_eq!(without_backtrace(frames), "no memory");
        assert_eq!(without_backtrace("left: 1\nright: 2"), "left: 1\nright: 2");
        assert_eq!(text(&"left: 1\nright: 2"), "left: 1 right: 2");
        assert_eq!(text(&debug), short);
    }
}
