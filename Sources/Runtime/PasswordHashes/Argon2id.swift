internal import CSodium

/// Argon2id (RFC 9106), as libsodium computes it: one lane.
package enum Argon2id {
    /// What one digest costs.
    package struct Cost: Sendable, Equatable {
        package let passes: Int
        package let memoryKiB: Int

        package init(passes: Int, memoryKiB: Int) {
            precondition(passes >= 1 && memoryKiB >= 8, "below the least that Argon2id has")
            self.passes = passes
            self.memoryKiB = memoryKiB
        }

        /// OWASP, Password Storage Cheat Sheet: the least that is recommended.
        package static let recommended = Cost(passes: 2, memoryKiB: 19 * 1024)

        fileprivate var memoryBytes: Int { memoryKiB * 1024 }
    }

    package static let saltBytes = 16
    package static let digestBytes = 32

    /// The digest of a password under a new random salt, in the text form of the reference implementation:
    /// `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<digest>`.
    ///
    /// Blocks for tens of milliseconds. Nil where the system has no memory for it.
    package static func hash(_ password: String, cost: Cost) -> String? {
        precondition(isReady, "libsodium could not be initialised")
        var text = [CChar](repeating: 0, count: crypto_pwhash_strbytes())
        let password = Array(password.utf8CString)
        // Safety: the library writes at most `crypto_pwhash_strbytes()`, the zero at the end included.
        let status = unsafe crypto_pwhash_str_alg(
            &text,
            password,
            UInt64(password.count - 1),
            UInt64(cost.passes),
            cost.memoryBytes,
            crypto_pwhash_alg_argon2id13(),
        )
        guard status == 0 else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Whether `text` is the digest of the password, compared in constant time; false also for a text of another form.
    ///
    /// Costs what `text` says that the digest has cost.
    package static func verify(_ password: String, against text: String) -> Bool {
        precondition(isReady, "libsodium could not be initialised")
        let password = Array(password.utf8CString)
        // A longer text is no digest, and the library reads no further than this.
        guard text.utf8.count < crypto_pwhash_strbytes() else { return false }
        return unsafe crypto_pwhash_str_verify(text, password, UInt64(password.count - 1)) == 0
    }

    /// True where the digest has another cost or form than new ones have.
    package static func needsRehash(_ text: String, cost: Cost) -> Bool {
        // The library also reads digests of Argon2i, and compares their cost alone.
        guard text.hasPrefix("$argon2id$"), text.utf8.count < crypto_pwhash_strbytes() else { return true }
        return unsafe crypto_pwhash_str_needs_rehash(text, UInt64(cost.passes), cost.memoryBytes) != 0
    }

    /// The text form of a digest that is known.
    package static func text(salt: [UInt8], digest: [UInt8], cost: Cost) -> String {
        "$argon2id$v=19$m=\(cost.memoryKiB),t=\(cost.passes),p=1$\(base64(salt))$\(base64(digest))"
    }

    /// Base64 without padding (RFC 4648, section 4), as the text form has it.
    private static func base64(_ bytes: [UInt8]) -> String {
        let variant = Int32(sodium_base64_VARIANT_ORIGINAL_NO_PADDING)
        var text = [CChar](repeating: 0, count: sodium_base64_encoded_len(bytes.count, variant))
        // Safety: the library writes as many characters as it said before, the zero at the end included.
        unsafe sodium_bin2base64(&text, text.count, bytes, bytes.count, variant)
        return String(decoding: text.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Idempotent and safe from any thread.
    private static let isReady = sodium_init() >= 0
}
