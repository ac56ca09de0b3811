/// A value that must never be printed: a key or a password.
///
/// Every conversion into text gives `***`; only ``reveal()`` returns the value, so that each use can be found.
package struct Secret: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let value: String

    /// Wraps `value`.
    package init(_ value: String) { self.value = value }

    /// The value itself.
    package func reveal() -> String { value }

    /// Always `***`.
    package var description: String { Masking.mask }
    /// Always `***`.
    package var debugDescription: String { Masking.mask }
    /// Shows no children, so that `dump` prints `***`.
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// The address of a server, which may carry a password: prints with the password masked.
package struct ConnectionURL: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let text: String

    /// Wraps `text`, which is not checked here.
    package init(_ text: String) { self.text = text }

    /// The whole URL, password included.
    package func reveal() -> String { text }

    /// The part before `://`, in lower case; empty without one.
    package var scheme: String { URLText(text)?.scheme ?? "" }

    /// The URL with its password masked.
    package var description: String { Masking.url.apply(to: text) }
    /// The URL with its password masked.
    package var debugDescription: String { description }
    /// Shows no children, so that `dump` prints the masked form.
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}
