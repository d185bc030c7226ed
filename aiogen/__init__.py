"""aiogen: an asyncio SDK for AI image generation."""
