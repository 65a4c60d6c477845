"""What the errors of files are on the wire: status and code. All are spoken."""

from apps.jobs.batches.files import FileNotStored, FileTooLarge, ProjectFull

OF_FILES: dict[type[Exception], tuple[int, str]] = {
    FileNotStored: (404, "file_not_found"),
    FileTooLarge: (413, "file_too_large"),
    ProjectFull: (413, "project_files_full"),
}
