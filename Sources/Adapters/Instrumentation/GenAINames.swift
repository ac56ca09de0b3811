/// Names of OpenTelemetry's semantic conventions for generative AI, where they differ from Lemma's names.
package enum GenAINames {
    /// `gen_ai.provider.name`; a provider that the conventions do not list has its own name.
    package static func provider(_ name: String) -> String { name == "gemini" ? "gcp.gemini" : name }

    /// `gen_ai.operation.name`: the operation of the provider's interface.
    package static func operation(_ name: String) -> String { name == "gemini" ? "generate_content" : "chat" }
}
