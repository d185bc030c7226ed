"""A page to make pictures on: a form, a grid that fills as they come, and what they cost.

    make studio

or

    pip install ".[sandbox,fastapi]"
    python -m uvicorn studio.app:app --app-dir examples --timeout-graceful-shutdown 3

With `LUMA_AGENTS_API_KEY`, `LEONARDO_API_KEY` or `COMFYUI_BASE_URL` in the environment it asks these, and costs money;
else it asks the sandbox on this machine.  The page in `static/` is plain HTML, CSS and JavaScript.
"""
