"""What a provider file checks before anything is sent.  Pure, and public.

Each raises `aiogen.InputError`, with what would be right in its message.
"""

from aiogen._checks import check_extra, check_id, check_json, check_number, check_prompt, path_of

__all__ = ["check_extra", "check_id", "check_json", "check_number", "check_prompt", "path_of"]
