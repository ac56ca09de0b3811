package import Domain

/// Validates the title of a conversation.
package struct ConversationTitleValidator: Validator {
    package init() {}

    package func validate(_ text: String) throws(ValidationFailure) -> ConversationTitle {
        do throws(ConversationTitle.Invalid) {
            return try ConversationTitle(text)
        } catch {
            let message =
                switch error {
                case .empty: "must not be empty"
                case .tooLong(let count):
                    "must have at most \(ConversationTitle.scalarsMax) characters; it has \(count)"
                }
            throw ValidationFailure([.init(field: "title", message: message)])
        }
    }
}
