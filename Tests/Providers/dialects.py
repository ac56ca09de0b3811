"""What the two kinds of provider say on the wire."""


class OpenAI:
    """Chat Completions."""

    def problem(self, body):
        return body["messages"][-1]["content"]

    def system(self, body):
        return body["messages"][0]["content"]

    def key(self, request):
        return request.headers.get("authorization", "").removeprefix("Bearer ")

    @staticmethod
    def _chunk(delta, finish=None, **members):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {"id": "c1", "object": "chat.completion.chunk", "model": "scripted", "choices": [choice], **members}

    def first(self):
        return [self._chunk({"role": "assistant", "content": None})]

    def text(self, text):
        return self._chunk({"content": text})

    def reasoning(self, text, member="reasoning_content"):
        return self._chunk({member: text})

    def usage(self, input=11, output=7, reasoning=None):
        """`output` counts the thinking too, as only this dialect does on the wire."""
        found = {"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output}
        if reasoning is not None:
            found["completion_tokens_details"] = {"reasoning_tokens": reasoning}
        return found

    def last(self, finish="stop", usage=None):
        """What ends a good stream."""
        found = [self._chunk({}, finish)]
        if usage:
            found.append({**self._chunk({}), "choices": [], "usage": usage})
        return [*found, "[DONE]"]

    def document(self, text):
        """A whole answer that is no stream."""
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return {"object": "chat.completion", "choices": [choice], "usage": self.usage()}

    def error(self, status, message="scripted failure"):
        return {"error": {"message": message, "type": "scripted", "code": status}}


class Gemini:
    """streamGenerateContent."""

    def problem(self, body):
        return body["contents"][-1]["parts"][-1]["text"]

    def system(self, body):
        return body["systemInstruction"]["parts"][0]["text"]

    def key(self, request):
        return request.headers.get("x-goog-api-key", "")

    @staticmethod
    def _chunk(parts, finish=None, **members):
        candidate = {"index": 0, "content": {"role": "model", "parts": parts}}
        if finish:
            candidate["finishReason"] = finish
        return {"candidates": [candidate], "modelVersion": "scripted", **members}

    def first(self):
        return []

    def text(self, text):
        return self._chunk([{"text": text}])

    def reasoning(self, text):
        return self._chunk([{"text": text, "thought": True}])

    def usage(self, input=11, output=7, reasoning=None):
        found = {"promptTokenCount": input, "candidatesTokenCount": output - (reasoning or 0)}
        if reasoning is not None:
            found["thoughtsTokenCount"] = reasoning
        return found

    def last(self, finish="STOP", usage=None):
        finish = {"stop": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}.get(finish, finish)
        return [self._chunk([], finish, **({"usageMetadata": usage} if usage else {}))]

    def document(self, text):
        return self._chunk([{"text": text}], "STOP", usageMetadata=self.usage())

    def error(self, status, message="scripted failure"):
        return {"error": {"code": status, "message": message, "status": "SCRIPTED"}}


def dialect_of(path):
    return Gemini() if "GenerateContent" in path else OpenAI()
