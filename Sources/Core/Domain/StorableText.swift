extension String {
    /// The text with U+FFFD for each U+0000, which PostgreSQL cannot store.
    ///
    /// Applied where text enters the system, so that every reader gets the same text.
    package var storable: String {
        utf8.contains(0)
            ? String(String.UnicodeScalarView(unicodeScalars.map { $0.value == 0 ? "\u{FFFD}" : $0 })) : self
    }
}
