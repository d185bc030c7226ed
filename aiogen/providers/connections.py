"""Turns what callers pass into a provider and a checked request: connection names, model strings, typed requests.

The one place that knows that "luma/uni-1" has two halves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

from aiogen._wording import lines
from aiogen.errors import ConfigurationError, InputError
from aiogen.providers import registry
from aiogen.providers.base import Provider, TypedRequest


class Connections(Mapping[str, Provider]):
    """The configured providers by name."""

    def __init__(self, providers: Sequence[Provider] | None, *, allow_insecure: bool) -> None:
        """By default each of this package's providers whose key is in the environment; others once they are named.

        Raises:
            ConfigurationError: two have one name, or one cannot be configured.
        """
        self._by_name: dict[str, Provider] = {}
        self.on_add: Callable[[], None] = lambda: None
        """Called when there is one more."""
        self._allow_insecure = allow_insecure
        self._is_from_environment = providers is None
        if providers is None:
            found = (cls.from_environment(allow_insecure=allow_insecure) for cls in registry.BUILT_IN)
            providers = [provider for provider in found if provider is not None]
        for provider in providers:
            self.add(provider)

    def add(self, provider: Provider) -> None:
        """Add a connection; see also `Session.add_connection`.

        Args:
            provider: the connection.

        Raises:
            ConfigurationError: it is no provider, or there is one of that name.
        """
        if not isinstance(provider, Provider):
            raise ConfigurationError(
                f"A provider must be an instance such as aiogen.Luma(api_key=…), not {type(provider).__name__}."
            )
        if provider.name in self._by_name:
            raise ConfigurationError(
                f"Two connections are called {provider.name!r}; give one of them another name=.", action=None
            )
        self._by_name[provider.name] = provider
        self.on_add()

    def remove(self, name: str) -> None:
        """Remove a connection; one that is not there changes nothing."""
        self._by_name.pop(name, None)

    def __getitem__(self, name: str) -> Provider:
        return self._by_name[name]

    def __iter__(self) -> Any:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __repr__(self) -> str:
        # No keys and no addresses, which a dict's repr would show.
        names = ", ".join(self._by_name)
        return f"<Connections {names or 'none'}>"

    def describe(self) -> str:
        """Each connection with its vendor and its address, one per line, for people."""
        return lines("Connections:", [(name, f"{p.facts.vendor}, {p.base_url}") for name, p in self._by_name.items()])

    def find(self, name: object) -> Provider:
        """The connection of that name.

        Args:
            name: of the connection; by default a connection has the provider's own name.

        Raises:
            ConfigurationError: there is no such connection; the message lists the others, and what is missing.
        """
        found = self._by_name.get(name) if isinstance(name, str) else None
        if found is not None:
            return found
        cls = registry.find(name) if isinstance(name, str) else None
        if cls is not None and self._is_from_environment:
            found = self._from_environment(cls)
        if found is not None:
            self.add(found)
            return found
        there = ", ".join(repr(n) for n in self._by_name) or "none"
        text = f"There is no connection {name!r} (available: {there})."
        if cls is not None:
            text += " " + missing(cls)
        else:
            known = ", ".join(map(repr, registry.names()))
            text += f" aiogen knows the providers {known}; name= gives a connection another name."
        raise ConfigurationError(text)

    def _from_environment(self, cls: type[Provider]) -> Provider | None:
        """One that was named and is not configured yet: by its key, or without any where none is needed."""
        found = cls.from_environment(allow_insecure=self._allow_insecure)
        if found is None and (cls.facts.key_variable is None or cls.facts.public_key is not None):
            return cls(allow_insecure=self._allow_insecure)
        return found

    def request(
        self, model: object, prompt: object, connection: str | None, options: Mapping[str, Any]
    ) -> tuple[Provider, TypedRequest]:
        """The provider for a request, and the request as an object of the provider's class, checked.

        Args:
            model: "connection/model", a connection's name, or a typed request.
            prompt: the prompt, or a typed request.
            connection: the connection for a typed request; by default the one with the provider's own name.
            options: the provider's own parameters.

        Raises:
            InputError: the model string has not the form "connection/model", or the rest is not valid.
            ConfigurationError: there is no such connection.
        """
        if _is_typed(model):
            if prompt is not None:
                raise InputError("A typed request already contains the prompt; do not pass another one.")
            return self._typed(model, connection, options)
        if _is_typed(prompt):
            name, _, rest = model.partition("/") if isinstance(model, str) else ("", "", "")
            if rest.strip() and rest.strip() != prompt.model:
                raise InputError(
                    f"The model {rest.strip()!r} differs from the request's model {prompt.model!r}; give only one."
                )
            return self._typed(prompt, connection or name.strip() or None, options)
        name, rest = self._split(model)
        provider = self.find(connection or name)
        if prompt is not None and not isinstance(prompt, str):
            raise InputError(f"The prompt has to be text, not {type(prompt).__name__}.")
        request: TypedRequest = provider.prepare(rest, prompt, options)
        return provider, request

    def _split(self, model: object) -> tuple[str, str]:
        text = model if isinstance(model, str) else ""
        name, slash, rest = text.partition("/")
        if not slash or not name.strip() or not rest.strip():
            raise InputError(
                f"The model {model!r} cannot be read; write 'connection/model', such as 'luma/uni-1' or "
                f"'leonardo/gemini-image-2'. Available connections: {', '.join(self._by_name) or 'none'}."
            )
        return name.strip(), rest.strip()

    def _typed(
        self, request: TypedRequest, connection: str | None, options: Mapping[str, Any]
    ) -> tuple[Provider, TypedRequest]:
        if options:
            raise InputError(f"These options belong inside the typed request: {', '.join(options)}.")
        cls = self._class_of(request)
        provider = self.find(connection or cls.facts.name)
        if not isinstance(provider, cls):
            raise InputError(
                f"A {type(request).__name__} is for {cls.facts.vendor}, but "
                f"the connection {provider.name!r} is {provider.facts.vendor}."
            )
        return provider, request

    def _class_of(self, request: TypedRequest) -> type[Provider]:
        """Whose request it is: of the classes that are connected, or known."""
        classes: list[type[Provider]] = [*(type(p) for p in self._by_name.values()), *registry.loaded()]
        cls = next((cls for cls in classes if isinstance(request, cls.facts.request_type)), None)
        if cls is None:
            raise InputError(
                f"A {type(request).__name__} belongs to none of the connections: pass the provider that it is for in "
                "Session(providers=[…])."
            )
        return cls


def _is_typed(request: object) -> TypeGuard[TypedRequest]:
    return not isinstance(request, str) and hasattr(request, "model") and hasattr(request, "references")


def missing(cls: type[Provider]) -> str:
    """What to do so that there is a connection of this class, in a sentence."""
    facts = cls.facts
    module = "aiogen" if cls.__module__.startswith("aiogen.") else cls.__module__
    if facts.key_variable is None:
        return f"Pass Session(providers=[{module}.{cls.__name__}()]); {facts.vendor} needs no key."
    return (
        f"Set the environment variable {facts.key_variable} to your {facts.vendor} API key, "
        f"or pass Session(providers=[{module}.{cls.__name__}(api_key=…)])."
    )
