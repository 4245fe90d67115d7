/**
 * The numbers that Python's `subprocess` module has on Windows. They exist everywhere, so that a program can name them; asking for
 * one on another platform is refused by `Popen`, as in Python.
 *
 * @module
 */

/** The console window of the child gets a window of its own (Windows). Stands for `subprocess.CREATE_NEW_CONSOLE`. */
export const CREATE_NEW_CONSOLE = 0x00000010;
/** The child leads a process group of its own (Windows). Stands for `subprocess.CREATE_NEW_PROCESS_GROUP`. */
export const CREATE_NEW_PROCESS_GROUP = 0x00000200;
/** The child runs above the average priority (Windows). Stands for `subprocess.ABOVE_NORMAL_PRIORITY_CLASS`. */
export const ABOVE_NORMAL_PRIORITY_CLASS = 0x00008000;
/** The child runs below the average priority (Windows). Stands for `subprocess.BELOW_NORMAL_PRIORITY_CLASS`. */
export const BELOW_NORMAL_PRIORITY_CLASS = 0x00004000;
/** The child runs with high priority (Windows). Stands for `subprocess.HIGH_PRIORITY_CLASS`. */
export const HIGH_PRIORITY_CLASS = 0x00000080;
/** The child runs with the lowest priority (Windows). Stands for `subprocess.IDLE_PRIORITY_CLASS`. */
export const IDLE_PRIORITY_CLASS = 0x00000040;
/** The child runs with normal priority (Windows). Stands for `subprocess.NORMAL_PRIORITY_CLASS`. */
export const NORMAL_PRIORITY_CLASS = 0x00000020;
/** The child runs with real-time priority (Windows). Stands for `subprocess.REALTIME_PRIORITY_CLASS`. */
export const REALTIME_PRIORITY_CLASS = 0x00000100;
/** The child has no console window (Windows). Stands for `subprocess.CREATE_NO_WINDOW`. */
export const CREATE_NO_WINDOW = 0x08000000;
/** The child does not inherit the console (Windows). Stands for `subprocess.DETACHED_PROCESS`. */
export const DETACHED_PROCESS = 0x00000008;
/** The child gets the default error mode (Windows). Stands for `subprocess.CREATE_DEFAULT_ERROR_MODE`. */
export const CREATE_DEFAULT_ERROR_MODE = 0x04000000;
/** The child leaves the job of this process (Windows). Stands for `subprocess.CREATE_BREAKAWAY_FROM_JOB`. */
export const CREATE_BREAKAWAY_FROM_JOB = 0x01000000;

/** The standard input device (Windows). Stands for `subprocess.STD_INPUT_HANDLE`. */
export const STD_INPUT_HANDLE: -10 = -10;
/** The standard output device (Windows). Stands for `subprocess.STD_OUTPUT_HANDLE`. */
export const STD_OUTPUT_HANDLE: -11 = -11;
/** The standard error device (Windows). Stands for `subprocess.STD_ERROR_HANDLE`. */
export const STD_ERROR_HANDLE: -12 = -12;
/** `wShowWindow` that hides the window (Windows). Stands for `subprocess.SW_HIDE`. */
export const SW_HIDE = 0;
/** The handles of a `STARTUPINFO` count (Windows). Stands for `subprocess.STARTF_USESTDHANDLES`. */
export const STARTF_USESTDHANDLES = 0x00000100;
/** `wShowWindow` of a `STARTUPINFO` counts (Windows). Stands for `subprocess.STARTF_USESHOWWINDOW`. */
export const STARTF_USESHOWWINDOW = 0x00000001;
/** The cursor shows that the child is starting (Windows). Stands for `subprocess.STARTF_FORCEONFEEDBACK`. */
export const STARTF_FORCEONFEEDBACK = 0x00000040;
/** The cursor does not show that the child is starting (Windows). Stands for `subprocess.STARTF_FORCEOFFFEEDBACK`. */
export const STARTF_FORCEOFFFEEDBACK = 0x00000080;
