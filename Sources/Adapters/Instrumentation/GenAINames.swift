/// What OpenTelemetry's semantic conventions for generative AI call things, where Lemma has names of its own.
package enum GenAINames {
    /// `gen_ai.provider.name`; a provider that the conventions do not know keeps its name.
    package static func provider(_ name: String) -> String { name == "gemini" ? "gcp.gemini" : name }

    /// `gen_ai.operation.name`: what a provider's interface calls to answer a question.
    package static func operation(_ name: String) -> String { name == "gemini" ? "generate_content" : "chat" }
}
